"""Zoomed in, the page shows the photograph at full resolution: a line of one pixel is seen."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.end_to_end.page.person import Person
from tests.end_to_end.page.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE, HIGH, LINE = 4000, 3000, 2000
LOADED = """() => {
  const tiles = [...document.querySelectorAll('#layer .tiles image')];
  return tiles.length > 0 && tiles.every((tile) => tile.loaded);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of three photographs of 12 megapixels; the model sees all but a corner."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "photos").mkdir()
    for number in range(3):
        grain = np.random.default_rng(number).integers(90, 110, (300, 400)).astype(np.uint8)
        photo = Image.fromarray(grain).resize((WIDE, HIGH), Image.Resampling.BICUBIC)
        ImageDraw.Draw(photo).line((LINE, 0, LINE, HIGH), fill=255, width=1)
        photo.save(folder / "photos" / f"{number}.jpg", quality=95)
    words = ["classes=[ok,scratch]", "data.image.roi=[[0,0],[1,0],[1,1],[0.5,1],[0,0.5]]"]
    with Server(folder / "photos", folder / "run", *words) as server:
        yield server.start()


@pytest.fixture
def enter(chromium, server):
    """Return a function by which a person enters; no page may complain or ask elsewhere."""
    people = []

    def come(**options):
        person = Person(chromium.new_context(**options).new_page(), server.url, ("ok", "scratch"))
        people.append(person.open("Ana"))
        person.tiles = []
        person.page.on(
            "request", lambda asked: "/tile/" in asked.url and person.tiles.append(asked)
        )
        person.shown()
        return person

    yield come
    for person in people:
        person.page.context.close()
        assert person.errors == [] and person.outside == []


@pytest.fixture
def ana(enter):
    return enter(viewport={"width": 1280, "height": 800})


def seen(person):
    """Return the grey values of the frame, as the screen shows them."""
    content = person.page.locator("#frame").screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("L")).astype(int)


def bright(person):
    """Return the columns in the middle of the frame that are brighter than what is beside them."""
    values = np.median(seen(person)[40:-40], axis=0)
    return np.flatnonzero(values > np.median(values) + 60)


def test_a_line_of_one_pixel_is_seen_at_original_size(ana):
    assert ana.tiles == [] and len(bright(ana)) == 0, "fitted, the picture is enough"
    ana.page.keyboard.press("o")
    assert ana.text("#zoom") == "100 %"
    ana.page.wait_for_function(LOADED)
    columns = bright(ana)
    middle = ana.page.locator("#frame").bounding_box()["width"] / 2
    assert 1 <= len(columns) <= 2 and abs(columns.mean() - middle) <= 2
    assert {"level=0" in asked.url for asked in ana.tiles} == {True}
    assert len(ana.tiles) <= 12, "only what is looked at is fetched"


def test_tiles_lie_where_the_picture_is(ana):
    for _ in range(3):
        ana.page.keyboard.press("+")
    ana.page.keyboard.press("ArrowLeft")
    ana.page.wait_for_function(LOADED)
    levels = ana.page.locator("#layer .tiles image").count()
    with_tiles = seen(ana)
    ana.page.evaluate("() => (document.querySelector('#layer .tiles').style.display = 'none')")
    without = seen(ana)
    assert levels > 0 and np.abs(with_tiles - without).mean() < 2
    shifted = np.abs(with_tiles[:, 3:] - without[:, :-3]).mean()
    assert np.abs(with_tiles - without).mean() < 0.7 * shifted


def test_two_clicks_zoom_to_the_place_and_back(ana):
    box = ana.page.locator("#frame").bounding_box()
    ana.page.mouse.dblclick(box["x"] + 200, box["y"] + 200)
    assert ana.text("#zoom") == "100 %"
    ana.page.wait_for_function(LOADED)
    assert len(bright(ana)) == 0, "the line is in the middle of the photograph, not at its left"
    ana.page.mouse.dblclick(box["x"] + 200, box["y"] + 200)
    assert ana.text("#zoom") == ""
    ana.page.wait_for_function("() => !document.querySelector('#layer .tiles image')")


def test_a_lost_connection_shows_the_picture_that_is_there(ana):
    ana.page.route("**/tile/**", lambda route: route.abort())
    with ana.page.expect_event("requestfailed", lambda asked: "/tile/" in asked.url):
        ana.page.keyboard.press("o")
    ana.page.wait_for_function("() => !document.querySelector('#layer .tiles image')")
    assert 80 < np.median(seen(ana)) < 120, "the picture stays"
    ana.page.unroute("**/tile/**")
    ana.page.keyboard.press("ArrowLeft")
    ana.page.wait_for_function(LOADED)


def test_what_the_model_does_not_see_is_shaded(ana):
    ana.page.wait_for_selector("#layer .shade")
    picture = seen(ana)
    high, wide = picture.shape
    side = min(wide / WIDE, high / HIGH)
    left, low = (wide - side * WIDE) / 2, (high + side * HIGH) / 2
    corner = picture[int(low) - 40 : int(low) - 20, int(left) + 20 : int(left) + 40]
    inside = picture[high // 2 - 10 : high // 2 + 10, wide // 2 - 30 : wide // 2 - 10]
    assert abs(np.median(corner) - np.median(inside)) > 40
    assert 85 < np.median(inside) < 115


def test_no_tile_is_left_when_the_next_image_comes(ana):
    ana.page.keyboard.press("o")
    ana.page.wait_for_function(LOADED)
    ana.press("Space")
    assert ana.text("#zoom") == ""
    assert ana.page.locator("#layer .tiles image").count() == 0


def test_a_phone_has_room_for_it(enter):
    ana = enter(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    ana.page.locator("#original").tap()
    assert ana.text("#zoom") == "100 %"
    ana.page.wait_for_function(LOADED)
    assert ana.page.evaluate("() => document.documentElement.scrollWidth") == 390
    box = ana.page.locator("#original").bounding_box()
    assert min(box["width"], box["height"]) >= 44
