from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alvision.core.errors import UserError
from alvision.data.decoding import decode
from alvision.data.images import ImageSpec, UnreadableImage, load, shrink_factor
from alvision.data.tiles import OVERLAP, bag, black, layout, overview, starts, together

SPEC = ImageSpec(32, tiles="auto")


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "p.png"
    pixels = np.random.default_rng(0).integers(0, 256, (70, 100, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path, pixels


@given(tile=st.integers(1, 300), more=st.integers(0, 3000))
def test_tiles_reach_from_edge_to_edge_and_share_a_sixteenth(tile, more):
    begin = starts(tile + more, tile)
    assert begin[0] == 0 and begin[-1] == more
    steps = np.diff(begin)
    assert (steps <= tile - tile // OVERLAP).all() and (steps >= 0).all()


@given(width=st.integers(32, 3000), height=st.integers(32, 3000), most=st.integers(1, 50))
def test_a_number_is_never_exceeded_and_nothing_is_enlarged(width, height, most):
    scaled, (rows, columns) = layout((width, height), (32, 32), most)
    assert rows * columns <= most
    assert 32 <= scaled[0] <= width and 32 <= scaled[1] <= height
    assert (rows, columns) == tuple(len(starts(side, 32)) for side in reversed(scaled))


def test_shrinking_keeps_about_as_many_tiles_as_asked_for():
    _, grid = layout((4000, 3000), (224, 224), 70)
    assert 50 <= np.prod(grid) <= 70


def test_each_tile_is_its_place_of_the_photograph(photograph):
    path, pixels = photograph
    cut = load(path, SPEC)
    assert cut.shape == (3, 4, 32, 32, 3) and cut.dtype == np.uint8
    for row, top in enumerate(starts(70, 32)):
        for column, left in enumerate(starts(100, 32)):
            assert (cut[row, column] == pixels[top : top + 32, left : left + 32]).all()


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, tiles=5),
        replace(SPEC, tiles=1),
        replace(SPEC, size=(16, 40), crop=(0.1, 0.2, 0.9, 1.0)),
        replace(SPEC, roi=((0.1, 0.1), (0.9, 0.2), (0.5, 0.9))),
    ],
    ids=["auto", "five", "one", "crop", "roi"],
)
def test_the_fast_reading_is_within_a_grey_level(photograph, spec):
    path, _ = photograph
    exact, fast = load(path, spec), decode(path.read_bytes(), spec, path)
    assert exact.shape == fast.shape
    assert abs(exact.astype(int) - fast).max() <= 1


def test_grey_photographs_become_colour(tmp_path):
    path = tmp_path / "g.png"
    Image.fromarray(np.full((40, 40), 7, np.uint8)).save(path)
    assert (load(path, SPEC) == 7).all() and load(path, SPEC).shape == (2, 2, 32, 32, 3)
    assert (decode(path.read_bytes(), SPEC, path) == load(path, SPEC)).all()


@pytest.mark.parametrize("size", [(31, 100), (100, 31)])
def test_a_photograph_smaller_than_a_tile_is_refused_in_a_line(tmp_path, size):
    path = tmp_path / "s.png"
    Image.new("RGB", size).save(path)
    line = rf"{size[0]} x {size[1]} pixels, less than one tile of 32 x 32.*data\.image\.tiles=null"
    with pytest.raises(UnreadableImage, match=line):
        load(path, SPEC)
    with pytest.raises(UnreadableImage, match=line):
        decode(path.read_bytes(), SPEC, path)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"tiles": 0}, "data.image.tiles=0 must be auto, the most tiles"),
        ({"tiles": True}, "data.image.tiles=True must be auto"),
        ({"tiles": "many"}, "data.image.tiles=many must be auto"),
        ({"tiles": 2.5}, "data.image.tiles=2.5 must be auto"),
        ({"tiles": "auto", "fit": "crop"}, "data.image.fit=crop is for photographs that become"),
        ({"tiles": 9, "reduced": True}, "data.image.reduced=true is for photographs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, line):
    with pytest.raises(UserError, match=line):
        ImageSpec(32, **values)


def test_a_spec_is_kept_and_an_older_alvision_refuses_it():
    kept = SPEC.to_dict()
    assert kept["tiles"] == "auto" and kept["rules"] == 4
    assert ImageSpec.from_dict(kept) == SPEC
    assert "tiles" not in ImageSpec(32).to_dict() and ImageSpec(32).to_dict()["rules"] == 2
    with pytest.raises(UserError, match="later version"):
        ImageSpec.from_dict(kept | {"rules": 5})


def test_a_view_of_a_photograph_in_tiles_is_one_frame(photograph):
    path, _ = photograph
    assert load(path, SPEC.scaled(20)).shape == (20, 20, 3)


def test_shrinking_is_told_from_the_header(photograph):
    path, _ = photograph
    assert shrink_factor(path, SPEC) == 1
    assert shrink_factor(path, replace(SPEC, tiles=1)) == pytest.approx(100 / 32)


def test_an_overview_is_the_whole_photograph_and_small():
    cut = bag(np.full((600, 900, 1), 9, np.uint8), (100, 100))
    small = overview(cut, 112)
    assert max(small.shape) <= 2 * 112 and small.shape[2] == 3 and (small == 9).all()
    assert overview(small, 10) is small


def test_memory_holds_one_photograph_in_tiles_and_many_images():
    assert together(SPEC, 32) == 1 and together(ImageSpec(32), 32) == 32
    assert black(SPEC).shape == (2, 2, 32, 32, 3) and black(ImageSpec(32)).shape == (32, 32, 3)


def test_tiles_of_a_few_pixels_are_refused():
    with pytest.raises(UserError, match="a side has at least 16 pixels"):
        ImageSpec((64, 15), tiles="auto")
    assert ImageSpec(1).size == 1  # a frame may be as small as anybody likes
