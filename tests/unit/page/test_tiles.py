"""Full resolution: what a tile shows, that it is of the right photograph, and what it may cost."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from alvision.data import pictures
from alvision.data.framing import FILL
from alvision.data.image_spec import ImageSpec
from alvision.data.images import ORIENTATION
from alvision.page import image_urls, tiles
from alvision.page.image_urls import Replaced, ServedImages
from alvision.page.kept import Kept
from alvision.page.tiles import SIDE, Tile

WIDE, HIGH = 1300, 700


@pytest.fixture
def photograph(tmp_path):
    """Return a photograph with a white line one pixel wide."""
    grain = np.random.default_rng(0).integers(60, 90, (HIGH, WIDE, 1))
    pixels = np.repeat(grain, 3, axis=2).astype(np.uint8)
    pixels[:, 1031] = 255
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    return path


def served(path, spec=None):
    return ServedImages({"a": path}, b"secret", path.parent / "cache", spec)


def shown(images, sha256, *tile):
    content = images.tile("a", sha256, Tile(*tile))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_tiles_put_together_are_the_photograph(photograph):
    images = served(photograph)
    look = images.look("a")
    assert look.photograph == (WIDE, HIGH) and look.seen is None
    rows = [
        np.hstack([shown(images, look.sha256, 0, column, row) for column in range(3)])
        for row in range(2)
    ]
    whole = np.vstack(rows)
    with Image.open(photograph) as image:
        original = np.asarray(image).astype(int)
    assert whole.shape == original.shape
    assert np.abs(whole - original).mean() < 4
    assert whole[:, 1031].mean() > 240 and whole[:, 1029].mean() < 100


def test_a_level_halves_and_beyond_the_edge_there_is_nothing(photograph):
    images = served(photograph)
    sha256 = images.look("a").sha256
    assert shown(images, sha256, 1, 0, 0).shape == (350, SIDE, 3)
    assert shown(images, sha256, 1, 1, 0).shape == (350, 138, 3)
    assert shown(images, sha256, 8, 0, 0).shape == (3, 6, 3)
    assert images.tile("a", sha256, Tile(0, 3, 0)) is None
    assert images.tile("a", sha256, Tile(0, 0, 2)) is None


def test_a_tile_is_upright_and_of_the_grey_values_that_the_network_sees(tmp_path):
    deep = np.zeros((40, 30), np.uint16)
    deep[:, 20:] = 4095  # the right of what is stored is the lower end of what is seen
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(deep).save(tmp_path / "a.tif", exif=exif)
    images = served(tmp_path / "a.tif", ImageSpec(8, value_range=(0, 4095), crop=(0, 0, 0.5, 1)))
    look = images.look("a")
    assert look.photograph == (40, 30) and look.seen.box == (0, 0, 0.5, 1)
    tile = shown(images, look.sha256, 0, 0, 0)
    assert tile.shape == (30, 40, 3)
    assert tile[:18].max() < 10 and tile[22:].min() > 245


def test_tiles_of_other_bytes_are_never_shown(photograph):
    images = served(photograph)
    with pytest.raises(Replaced):
        images.tile("a", "0" * 64, Tile(0, 0, 0))


def test_a_zoom_decodes_the_photograph_once(photograph, monkeypatch):
    decoded = []
    real = image_urls.photograph
    monkeypatch.setattr(image_urls, "photograph", lambda *given: decoded.append(1) or real(*given))
    images = served(photograph)
    sha256 = images.look("a").sha256
    asking = [
        threading.Thread(target=images.tile, args=("a", sha256, Tile(0, column, row)))
        for column in range(3)
        for row in range(2)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(decoded) == 1


def test_decoded_photographs_stay_below_their_bound(tmp_path, monkeypatch):
    bound = 4 * 40 * 30 * 2  # Pillow spends four bytes on a pixel in colour
    monkeypatch.setattr(image_urls, "_PHOTOGRAPHS_BYTES", bound)
    paths = {}
    for name in "abcd":
        paths[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (40, 30), (ord(name), 0, 0)).save(paths[name])
    images = ServedImages(paths, b"secret", tmp_path / "cache")
    for name in "abcd":
        assert images.tile(name, images.look(name).sha256, Tile(0, 0, 0))
        assert images._photographs.bytes <= bound
    assert images._photographs.bytes == bound
    assert images._photographs.get(images.look("a").sha256) is None
    assert images._photographs.get(images.look("d").sha256) is not None


@pytest.mark.parametrize("spec", [None, ImageSpec(16, tiles="auto"), ImageSpec(8, fit="crop")])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_huge_photograph_is_shown_at_part_of_its_size(tmp_path, monkeypatch, suffix, spec):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 400 * 300)
    path = tmp_path / f"a.{suffix}"
    pixels = np.zeros((600, 900), np.uint8)
    pixels[:, 450:] = 200
    Image.fromarray(pixels).save(path)
    images = served(path, spec)
    look = images.look("a")
    assert look.photograph == (225, 150)
    tile = shown(images, look.sha256, 0, 0, 0)
    assert tile.shape == (150, 225, 3) and tile[:, 120:].min() > 180 and tile[:, :100].max() < 20


def test_what_is_kept_stays_below_its_bound():
    kept = Kept(10)
    kept.keep("large", "x", 11)
    assert kept.get("large") is None and kept.bytes == 0
    kept.keep("a", "a", 6)
    kept.keep("a", "again", 6)
    assert kept.get("a") == "a" and kept.bytes == 6


def test_the_page_serves_tiles_of_what_it_gave_out(make_page):
    page = make_page()
    item = page.items()[0]
    assert (item["photo_width"], item["photo_height"]) == (12, 12) and item["seen"] is None
    wanted = {"sha256": item["sha256"], "level": 0, "column": 0, "row": 0}
    answer = page.get(f"/tile/{item['id']}", params=wanted)
    assert answer.headers["content-type"] == "image/jpeg" and "immutable" in str(answer.headers)
    assert Image.open(io.BytesIO(answer.content)).size == (12, 12)
    for change, status in [
        ({"column": 1}, 404),
        ({"sha256": "0" * 64}, 410),
        ({"level": 9}, 400),
        ({"row": -1}, 400),
        ({"column": 10**9}, 400),
        ({"sha256": "../../secret"}, 400),
        ({"sha256": None}, 400),
    ]:
        given = {key: value for key, value in (wanted | change).items() if value is not None}
        refused = page.get(f"/tile/{item['id']}", params=given)
        assert refused.status_code == status, change
        assert "\n" not in refused.json()["error"]
    assert page.get("/tile/" + "0" * 24, params=wanted | {"sha256": "0" * 64}).status_code == 404


def test_the_page_says_what_the_model_sees(make_page):
    corners = ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5))
    page = make_page(spec=ImageSpec(8, roi=corners))
    seen = page.items()[0]["seen"]
    assert seen == {"box": [0, 0, 1, 0.5], "corners": [list(corner) for corner in corners]}


def test_a_wide_photograph_says_where_its_edges_are_cut(tmp_path):
    Image.new("L", (80, 20), FILL).save(tmp_path / "a.png")
    seen = served(tmp_path / "a.png", ImageSpec(8, fit="crop")).look("a").seen
    assert seen.box == (30 / 80, 0, 50 / 80, 1) and seen.corners is None
    assert tiles.box((80, 20), Tile(0, 0, 0)) == (0, 0, 80, 20)
