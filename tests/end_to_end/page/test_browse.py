"""Looking back in a real browser: find an answer, correct it, undo that; what a photograph is."""

import pytest

from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.still import still
from tests.end_to_end.page.test_grid import DESK, PHONE
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DRAWN = """() => {
  const pictures = [...document.querySelectorAll("dialog[open] img, #setup-samples img")];
  return pictures.length > 0 && pictures.every((one) => one.complete && one.naturalWidth);
}"""


@pytest.fixture
def server(tmp_path):
    with still(tmp_path) as server:
        yield server


@pytest.fixture
def ana(chromium, server):
    context = chromium.new_context(**DESK)
    ana = Person(context.new_page(), server.url, CLASSES).open()
    yield ana
    context.close()
    assert ana.errors == [] and ana.outside == []


def counted(ana, words):
    ana.page.wait_for_function(
        "(words) => document.querySelector('#browse-count').textContent === words", arg=words
    )


def test_an_answer_is_found_corrected_and_taken_back(ana, server):
    page = ana.page
    for key in ("1", "2", "1", "u"):
        ana.press(key)
    page.keyboard.press("a")
    counted(ana, "4 images")
    page.select_option("#browse-label", "scratch")
    counted(ana, "1 image")
    page.locator("#browse-pictures button").click()
    page.locator("#browse-correct button", has_text="dent").click()
    page.wait_for_selector("#browse-undo:not([hidden])")
    assert ana.text("#browse-status") == "Your answer is dent now"
    counted(ana, "0 images")
    last = server.events()[-1]
    assert (last.kind, last.label, last.by) == ("label", "dent", "Ana") and last.sha256
    page.locator("#browse-undo").click()
    counted(ana, "1 image")
    assert server.events()[-1].target == last.uuid

    page.select_option("#browse-label", "")
    page.select_option("[name=show]", "unsure")
    counted(ana, "1 image")
    page.select_option("[name=show]", "all")
    page.locator("#browse-search").fill("no such name")
    counted(ana, "0 images")


def test_the_name_comes_on_demand_and_with_it_the_other_views(ana, server):
    source = ana.shown()
    name = server.image(source)
    assert name not in ana.page.content()
    ana.page.keyboard.press("i")
    ana.page.wait_for_function("() => document.querySelector('#about-name').textContent")
    assert ana.text("#about-name") == name
    assert ana.text("#about-taken") == "the file does not say when"
    ana.page.wait_for_function(DRAWN)
    assert ana.page.locator("#about-views img").count() == 2


def test_a_heatmap_that_is_not_there_is_no_broken_picture(ana, server):
    page = ana.page
    for _ in range(30):
        if page.evaluate("() => document.querySelector('.choice .share').textContent"):
            break
        ana.press("Space")
    (server.page.state.run.folder(1) / "heatmaps").mkdir()
    drawn = server.page.state.run.folder(1) / "heatmaps" / "gone.png"
    drawn.write_bytes(b"")  # it is there when the page asks for the image, and cannot be drawn
    page.reload()
    ana.shown()
    with page.expect_response("**/heatmap/**"):
        page.keyboard.press("b")
    page.wait_for_function("() => !document.querySelector('#layer .heat')")


def test_every_button_lies_in_its_panel_and_names_itself_in_words(ana):
    page = ana.page
    for width in (1280, 1366, 1100, 1440):
        page.set_viewport_size({"width": width, "height": 720})
        panel = page.locator(".panel").bounding_box()
        for button in page.locator(".actions button").all():
            if not button.is_visible():
                continue
            box = button.bounding_box()
            assert box["x"] >= panel["x"]
            assert box["x"] + box["width"] <= panel["x"] + panel["width"]
            assert button.evaluate("(one) => one.scrollWidth <= one.clientWidth"), width
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        head = page.locator(".head").evaluate("(one) => [one.scrollWidth, one.clientWidth]")
        assert head[0] <= head[1], width
        for button in page.locator(".tools button").all():
            assert button.locator("span").bounding_box()["width"] > 10, width


def test_the_first_page_shows_photographs(chromium, tmp_path):
    with still(tmp_path, count=12, classes=(), defects=()) as server:
        context = chromium.new_context(**DESK)
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#setup:not([hidden])")
        page.wait_for_function(DRAWN)
        assert page.locator("#setup-samples img").count() == 8
        context.close()


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing(chromium, server, options, tmp_path):
    axe = imported("axe_playwright_python.sync_playwright")
    context = chromium.new_context(**options)
    ana = Person(context.new_page(), server.url, CLASSES).open()
    for key in "1213":
        ana.press(key)
    for name in ("about", "browse"):
        ana.page.evaluate(f"() => document.querySelector('[data-open={name}]').click()")
        ana.page.wait_for_function(DRAWN)
        if name == "browse":
            ana.page.locator("#browse-pictures button").first.click()
            ana.page.wait_for_function(DRAWN)
        ana.page.screenshot(path=str(tmp_path / f"{name}.png"))
        found = axe.Axe().run(ana.page)
        assert found.violations_count == 0, found.generate_report()
        wide = "(one) => one.scrollWidth <= one.clientWidth"
        assert ana.page.locator("dialog[open] .sheet").evaluate(wide)
        ana.page.keyboard.press("Escape")
    context.close()
