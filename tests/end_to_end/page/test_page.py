"""The page with a trained model behind it: what is shown, by keys, mouse and touch, and to whom."""

import re

import pytest

from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import Server
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DIALOGS = ["book", "conflicts", "classes", "train", "progress", "settings", "help", "flag", "menu"]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((e) => e.value)))
    .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server whose model has learned from the first batch."""
    folder = tmp_path_factory.mktemp("page")
    server = Server(
        painted(folder / "photos", 120),
        folder / "run",
        "classes=[ok,scratch,dent]",
        "defects=[scratch,dent]",
        "budget.batch=60",  # more than all tests answer, so that this round stays
    )
    with server.start():
        server.wait_for("/api/state?by=", lambda state: state["phase"] == "asking")
        batch = server.get("/api/state?by=Eva")["batch"]
        server.label("Eva", batch["size"], truth)
        server.wait_for("/api/next?by=Eva&n=6", explained)
        yield server


def truth(image):
    """Say the class of a painted part from its number."""
    return CLASSES[int(re.findall(r"\d+", image)[0]) % len(CLASSES)]


def explained(reply):
    """Tell whether the model's opinions are there: the loop writes them for the ranking's first."""
    return any(item["heatmap"] and item["neighbours"] for item in reply["items"])


@pytest.fixture
def enter(chromium, server):
    """Return a function by which a person enters; no page may complain or ask elsewhere."""
    people, contexts = [], []

    def come(name, *, init=None, **options):
        contexts.append(chromium.new_context(**options))
        if init:
            contexts[-1].add_init_script(init)
        people.append(Person(contexts[-1].new_page(), server.url, CLASSES).open(name))
        people[-1].shown()
        return people[-1]

    yield come
    for context in contexts:
        context.close()
    assert [person.errors for person in people if person.errors] == []
    assert [person.outside for person in people if person.outside] == []


def seen(person, wanted):
    """Skip images until one is shown for which `wanted` holds."""
    for _ in range(30):
        if person.page.evaluate(wanted):
            return
        person.press("Space")
    raise AssertionError(f"no image with {wanted}")


OPINION = "() => document.querySelector('.choice .share').textContent !== ''"


def test_beside_the_image_stand_opinion_reason_and_neighbours(enter):
    ana = enter("Ana")
    seen(ana, OPINION)
    shares = ana.page.locator(".choice .share > [aria-hidden]").all_inner_texts()
    assert sum(int(share.removesuffix("%")) for share in shares) in range(98, 103)
    assert ana.text("#why") != ""
    assert 1 <= ana.page.locator("#near li").count() <= 5
    assert set(ana.page.locator("#near li span").all_inner_texts()) <= set(CLASSES)


def test_no_file_name_reaches_the_page(enter):
    ana = enter("Ana")
    assert not re.search(r"part \d", ana.page.content())


def test_the_order_of_the_answers_is_fixed(enter):
    ana = enter("Ana")
    for _ in range(3):
        assert ana.page.locator(".choice .called").all_inner_texts() == list(CLASSES)
        ana.press("Space")


def test_the_heatmap_goes_on_and_off(enter):
    ana = enter("Ana")
    ana.page.keyboard.press("b")
    seen(ana, "() => document.querySelector('#layer .heat') !== null")
    ana.page.wait_for_function("() => document.querySelector('#layer .heat').naturalWidth > 0")
    assert ana.page.get_attribute("#heatmap", "aria-pressed") == "true"
    ana.page.keyboard.press("b")
    assert ana.page.locator("#layer .heat").count() == 0


def test_keys_zoom_and_pan_and_fit(enter):
    ana = enter("Ana")
    assert ana.text("#zoom") == ""
    box = ana.page.locator("#frame").bounding_box()
    fitted = min(box["width"], box["height"]) / 64  # pixels of the page for one of the photograph
    for key in ("+", "+", "ArrowLeft"):
        ana.page.keyboard.press(key)
    assert ana.text("#zoom") == f"{100 * fitted * 1.25**2:,.0f} %"
    assert "translate" in ana.page.locator("#layer").get_attribute("style")
    ana.page.keyboard.press("-")
    assert ana.text("#zoom") == f"{100 * fitted * 1.25:,.0f} %"
    ana.page.keyboard.press("0")
    assert ana.text("#zoom") == ""


def test_slash_finds_a_class_by_its_letters(enter):
    ana = enter("Ana")
    before = ana.shown()
    ana.page.keyboard.press("/")
    ana.page.keyboard.type("de")
    assert ana.text("#last") == "dent: press Enter to answer"
    ana.page.keyboard.press("Enter")
    ana.page.wait_for_function(
        "(id) => !document.querySelector('#layer .picture').src.includes(id)", arg=before
    )
    assert ana.text("#last").startswith("dent")


def test_a_click_answers_and_the_space_key_then_skips(enter):
    ana = enter("Ana")
    before = ana.shown()
    ana.page.locator(".choice").nth(1).click()
    ana._next(before)
    assert ana.text("#last").startswith("scratch")
    ana.press("Space")
    assert ana.text("#last").startswith("Skipped")


def test_nothing_moves_while_images_pass(enter):
    ana = enter("Ana", init=SHIFTS, viewport={"width": 1280, "height": 800})
    for key in ("1", "Space", "2", "u", "z", "b", "3", "Space"):
        if key in "zb":
            ana.page.keyboard.press(key)
            ana.shown()
        else:
            ana.press(key)
    assert ana.page.evaluate("() => window.shifts") == []


@pytest.mark.parametrize("theme", ["light", "dark", "contrast"])
def test_axe_finds_nothing(enter, theme):
    axe = imported("axe_playwright_python.sync_playwright")
    remember = f"localStorage.setItem('alvision.theme', '{theme}')"
    ana = enter("Ana", init=remember, reduced_motion="reduce")
    seen(ana, OPINION)
    found = {"page": axe.Axe().run(ana.page)}
    for name in DIALOGS if theme != "contrast" else []:
        ana.page.evaluate(f"() => document.querySelector('[data-open={name}]').click()")
        ana.page.wait_for_selector(f"#{name}-dialog[open]")
        ana.page.wait_for_load_state("networkidle")
        found[name] = axe.Axe().run(ana.page)
        ana.page.evaluate(f"() => document.querySelector('#{name}-dialog').close()")
    reports = [result.generate_report() for result in found.values() if result.violations_count]
    assert reports == []


def test_a_phone_in_one_hand(enter):
    ana = enter(
        "Ana", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
        device_scale_factor=2,
    )  # fmt: skip
    page = ana.page
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width == 390
    for button in page.locator(".choice, .actions button, .view button, .learned").all():
        if button.is_visible():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 44, button.get_attribute("class")
    before = ana.shown()
    page.locator(".choice").nth(0).tap()
    ana._next(before)
    before = ana.shown()
    page.locator("#skip").tap()
    ana._next(before)
    page.locator("#undo").tap()
    page.wait_for_function(
        "(id) => document.querySelector('#layer .picture').src.includes(id)", arg=before
    )
    page.locator(".more").tap()
    page.locator("#menu-dialog [data-open=book]").tap()
    page.wait_for_selector("#book-dialog[open]")


def test_two_fingers_zoom(enter):
    ana = enter("Ana", viewport={"width": 820, "height": 1180}, has_touch=True)
    box = ana.page.locator("#frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = ana.page.context.new_cdp_session(ana.page)

    def touch(kind, apart):
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        event = {"type": kind, "touchPoints": points if kind != "touchEnd" else []}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", 40)
    for apart in (50, 60, 80):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    assert ana.text("#zoom") != ""


def test_blind_hides_the_opinion_until_the_answer(enter):
    ana = enter("Ana", init="localStorage.setItem('alvision.blind', 'on')")
    for _ in range(3):
        assert "".join(ana.page.locator(".choice .share").all_inner_texts()) == ""
        assert ana.page.locator("#near li").count() == 0
        assert "between" not in ana.text("#why")
        ana.press("1")


def test_train_now_ends_the_batch(enter, server):
    server.wait_for("/api/state?by=", lambda state: state["phase"] == "asking")
    ana = enter("Ana")
    ana.page.click(".tools [data-open=train]")
    ana.page.click("#train-yes")
    ana.page.wait_for_selector("#train-dialog:not([open])", state="attached")
    assert [event.by for event in server.events() if event.kind == "close"] == ["Ana"]
    ana.press("1")  # nobody waits for the model
