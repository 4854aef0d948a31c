"""Many images in one step, in a real browser: exceptions, undo, the way back, two people."""

import pytest

from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.still import still, truth
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True,
    "is_mobile": True,
}  # fmt: skip
LOADED = """() => {
  const pictures = [...document.querySelectorAll(".card img")];
  return pictures.length > 0 && pictures.every((one) => one.complete && one.naturalWidth);
}"""


@pytest.fixture
def server(tmp_path):
    with still(tmp_path, 300) as server:  # two grids of one class
        yield server


@pytest.fixture
def enter(chromium, server):
    people, contexts = [], []

    def come(name="Ana", **options):
        contexts.append(chromium.new_context(**options or DESK))
        people.append(Person(contexts[-1].new_page(), server.url, CLASSES).open(name))
        people[-1].shown()
        return people[-1]

    yield come
    for context in contexts:
        context.close()
    assert [person.errors for person in people if person.errors] == []
    assert [person.outside for person in people if person.outside] == []


def grid(person, key="g"):
    """Open a grid; return the addresses in it."""
    person.page.keyboard.press(key)
    person.page.wait_for_function(LOADED)
    return cards(person)


def cards(person):
    return person.page.eval_on_selector_all(".card", "all => all.map((one) => one.dataset.id)")


def told(person, words):
    person.page.wait_for_function(
        "(words) => document.querySelector('#last').textContent.startsWith(words)", arg=words
    )


def answers(server):
    """Return the label that stands for each image that was answered in a grid."""
    taken = {event.target for event in server.events() if event.kind == "undo"}
    return {
        event.id: event.label
        for event in server.events()
        if (event.note or "").startswith("grid ") and event.uuid not in taken
    }


def test_one_key_answers_all_but_the_exceptions_and_one_takes_all_back(enter, server):
    ana = enter()
    page = ana.page
    shown = grid(ana)
    label = page.locator("#grid-classes [aria-pressed=true]").get_attribute("data-name")
    page.locator(".card").nth(1).click()
    page.keyboard.press("3")
    page.locator(".card").nth(2).click()
    page.keyboard.press("Enter")
    told(ana, f"{len(shown) - 1} images answered in one step")
    wanted = {server.image(id): label for id in shown if id != shown[2]}
    wanted[server.image(shown[1])] = "dent"
    assert answers(server) == wanted
    seconds = {event.seconds for event in server.events() if (event.note or "").startswith("grid")}
    assert len(seconds) == 1 and 0 < seconds.pop() < 60
    page.wait_for_function(LOADED)
    assert not set(cards(ana)) & set(shown)

    page.keyboard.press("z")
    told(ana, f"Undone: all {len(shown) - 1} answers")
    assert cards(ana) == shown
    assert page.locator(".card[aria-pressed=true]").count() == 2
    assert answers(server) == {}

    page.keyboard.press("Enter")
    told(ana, f"{len(shown) - 1} images answered in one step")
    page.keyboard.press("Escape")
    page.wait_for_selector("#grid", state="hidden")
    if ana.shown() != shown[2]:  # the image from before the grid is answered first
        ana.press("Space")
    assert ana.shown() == shown[2]
    page.reload()
    ana.shown()
    page.keyboard.press("z")  # the skip
    ana.shown()
    if page.inner_text("#last").startswith("Undone: Skip"):
        page.keyboard.press("z")
    told(ana, f"Undone: all {len(shown) - 1} answers")
    assert answers(server) == {}


def test_a_grid_that_is_answered_without_a_connection_is_stored_later(enter, server):
    ana = enter()
    shown = grid(ana)
    ana.page.context.set_offline(True)
    ana.page.keyboard.press("Enter")
    ana.page.wait_for_function(
        "(n) => document.querySelector('#saved').textContent.includes(`${n} answers are kept`)",
        arg=len(shown),
    )
    ana.page.keyboard.press("Escape")
    ana.page.context.set_offline(False)
    ana.wait_until_stored()
    assert set(answers(server)) == {server.image(id) for id in shown}
    ana.page.keyboard.press("z")
    told(ana, f"Undone: all {len(shown)} answers")
    ana.wait_until_stored()
    assert answers(server) == {}


def test_same_as_this_shows_the_image_and_those_like_it_for_one_class(enter, server):
    ana = enter()
    for _ in range(30):
        if ana.page.is_enabled("#similar"):
            break
        ana.press("Space")
    alone = ana.shown()
    shown = grid(ana, "s")
    assert shown[0] == alone
    ana.page.keyboard.press("Enter")
    told(ana, "Choose the class first")
    number = CLASSES.index(truth(server.image(alone))) + 1
    ana.page.keyboard.press(str(number))
    for place, id in enumerate(shown):
        if truth(server.image(id)) != truth(server.image(alone)):
            ana.page.locator(".card").nth(place).click()
    ana.page.keyboard.press("Enter")
    told(ana, f"{len(answers(server)) or ''}")
    ana.page.wait_for_selector("#grid", state="hidden")
    found = answers(server)
    assert len(found) > 1 and all(truth(image) == label for image, label in found.items())


def test_two_people_see_different_images(enter):
    ana, ben = enter("Ana"), enter("Ben")
    assert not set(grid(ana)) & set(grid(ben))


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_every_picture_is_on_the_screen(enter, options, tmp_path):
    axe = imported("axe_playwright_python.sync_playwright")
    ana = enter(**options)
    if options is PHONE:
        ana.page.locator(".more").tap()
        ana.page.locator("#menu-dialog [data-press=grid-open]").tap()
        ana.page.wait_for_function(LOADED)
        ana.page.locator(".card").nth(1).tap()
    else:
        grid(ana)
        ana.page.locator(".card").nth(1).click()
    ana.page.screenshot(path=str(tmp_path / "grid.png"))
    found = axe.Axe().run(ana.page)
    assert found.violations_count == 0, found.generate_report()
    width, height = options["viewport"].values()
    for box in (card.bounding_box() for card in ana.page.locator(".card").all()):
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
        assert min(box["width"], box["height"]) >= 88
    accept = ana.page.locator("#grid-accept").bounding_box()
    assert accept["height"] >= 44 and accept["x"] + accept["width"] <= width
