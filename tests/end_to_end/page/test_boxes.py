"""A rough box over a defect in a real browser: one drag, kept with the answer, and gone with it."""

import pytest

from tests.end_to_end.page.conftest import CLASSES
from tests.end_to_end.page.person import Person
from tests.end_to_end.page.still import still
from tests.end_to_end.page.test_grid import DESK, PHONE
from tests.support.parts import imported

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RECTANGLE = """() => {
  const { x, y, width, height } = document.querySelector("#layer .boxes rect").attributes;
  return [x, y, width, height].map((one) => Number(one.value));
}"""


@pytest.fixture
def server(tmp_path):
    with still(tmp_path) as server:
        yield server


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def ana(chromium, server, request):
    context = chromium.new_context(**request.param)
    ana = Person(context.new_page(), server.url, CLASSES).open()
    ana.shown()
    yield ana
    context.close()
    assert ana.errors == [] and ana.outside == []


def drag(ana, start, end):
    """Drag over the photograph, from one point to another, in shares of its sides."""
    frame = ana.page.locator("#frame").bounding_box()
    side = min(frame["width"], frame["height"])
    left = frame["x"] + (frame["width"] - side) / 2
    top = frame["y"] + (frame["height"] - side) / 2
    mouse = ana.page.mouse
    mouse.move(left + start[0] * side, top + start[1] * side)
    mouse.down()
    mouse.move(left + end[0] * side, top + end[1] * side, steps=4)
    mouse.up()


def drawn(server):
    return [event.note for event in server.events() if event.kind == "box"]


def test_a_box_is_drawn_stored_with_the_answer_and_taken_back_with_it(ana, server):
    drag(ana, (0.75, 0.5), (0.25, 0.25))
    assert ana.text("#last") == "Box drawn: it is stored with your answer"
    # The painted parts have 64 pixels a side; an edge lies on a pixel or beside it.
    assert ana.page.evaluate(RECTANGLE) == pytest.approx([16, 16, 32, 16], abs=1)
    ana.press("2")
    assert ana.page.locator("#layer .boxes").count() == 0
    answer, box = server.events()
    assert (box.kind, box.target, box.id) == ("box", answer.uuid, answer.id)
    assert list(map(int, box.note.split(","))) == pytest.approx([16, 16, 32, 16], abs=1)
    ana.page.keyboard.press("z")
    ana.page.wait_for_selector("#layer .boxes rect", state="attached")
    assert server.events()[-1].target == answer.uuid
    ana.press("1")
    assert drawn(server) == [box.note, box.note]


def test_a_box_can_be_drawn_again_or_removed_by_key_and_button(ana, server):
    drag(ana, (0.1, 0.1), (0.2, 0.2))
    drag(ana, (0.5, 0.5), (0.8, 0.9))
    assert ana.page.locator("#layer .boxes rect").count() == 1
    assert ana.page.evaluate(RECTANGLE)[0] == pytest.approx(32, abs=1)
    ana.page.keyboard.press("Escape")
    assert ana.page.locator("#layer .boxes").count() == 0
    drag(ana, (0.1, 0.1), (0.2, 0.2))
    ana.page.locator("#unbox").click()
    assert ana.text("#last") == "Box removed" and not ana.page.locator("#unbox").is_visible()
    drag(ana, (0.5, 0.5), (0.501, 0.5))  # a click
    ana.press("1")
    assert drawn(server) == []


def test_zoomed_in_a_drag_moves_and_with_shift_it_draws(ana, server):
    ana.page.keyboard.press("o")
    ana.page.wait_for_selector("#frame.zoomed")
    drag(ana, (0.6, 0.6), (0.5, 0.5))
    assert ana.page.locator("#layer .boxes").count() == 0
    ana.page.keyboard.down("Shift")
    drag(ana, (0.4, 0.4), (0.6, 0.6))
    ana.page.keyboard.up("Shift")
    assert ana.page.locator("#layer .boxes rect").count() == 1


def test_axe_finds_nothing_with_a_box_and_the_answers_show_it(ana, server, tmp_path):
    axe = imported("axe_playwright_python.sync_playwright")
    drag(ana, (0.2, 0.2), (0.6, 0.5))
    ana.page.screenshot(path=str(tmp_path / "box.png"))
    found = axe.Axe().run(ana.page)
    assert found.violations_count == 0, found.generate_report()
    ana.press("2")
    ana.page.evaluate("() => document.querySelector('[data-open=browse]').click()")
    ana.page.locator("#browse-pictures button").click()
    ana.page.wait_for_selector("#browse-frame .boxes rect", state="attached")
    assert "1 box drawn" in ana.text("#browse-expected")
    ana.page.screenshot(path=str(tmp_path / "answers.png"))
    found = axe.Axe().run(ana.page)
    assert found.violations_count == 0, found.generate_report()
