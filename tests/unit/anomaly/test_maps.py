import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.anomaly.maps import hot_level, peaks, photograph_map, places_in
from alvision.data.image_spec import ImageSpec

GRID = (7, 7)


def one_hot(row, column, grid=GRID):
    found = np.zeros(grid, np.float32)
    found[row, column] = 1
    return found.ravel()


def where(found):
    return np.unravel_index(found.argmax(), found.shape)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(50, 300), st.integers(50, 300))
def test_a_map_has_the_photographs_pixels_and_its_peak_in_the_middle_of_the_place(
    row, column, width, height
):
    found = photograph_map(one_hot(row, column), GRID, (width, height), ImageSpec(224))
    assert found.shape == (height, width)
    y, x = where(found)
    # At an edge only one neighbour takes a share, so there the peak moves outwards.
    assert row * height / 7 - 1 <= y <= (row + 1) * height / 7 + 1
    assert column * width / 7 - 1 <= x <= (column + 1) * width / 7 + 1


def test_a_map_is_the_gaussian_mean_of_the_places():
    distances = np.array([1.0, 3.0], np.float32)
    found = photograph_map(distances, (1, 2), (4, 1), ImageSpec((32, 64)))[0]
    at = (np.arange(4) + 0.5) / 2
    shares = np.exp(-((at[:, None] - [0.5, 1.5]) ** 2) / (2 * 0.8**2))
    expected = shares @ distances / shares.sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@given(st.lists(st.floats(0, 50, width=32), min_size=49, max_size=49))
def test_a_map_stays_between_the_least_and_the_strangest_place(values):
    distances = np.array(values, np.float32)
    found = photograph_map(distances, GRID, (90, 60), ImageSpec(224))
    assert distances.min() - 1e-3 <= found.min() and found.max() <= distances.max() + 1e-3
    assert abs(found.max() - peaks(distances[None], GRID)[0]) <= 0.1 * np.ptp(distances) + 1e-3


def test_a_map_lies_in_the_crop_and_is_nothing_beyond_it():
    spec = ImageSpec(224, crop=(0.5, 0, 1, 1))
    found = photograph_map(one_hot(0, 0), GRID, (200, 100), spec)
    assert found[:, :100].max() == 0 and 100 <= where(found)[1] < 118


def test_the_bars_of_a_letterbox_are_not_in_the_map():
    spec = ImageSpec(224, fit="letterbox")
    found = photograph_map(one_hot(3, 3), GRID, (280, 140), spec)
    y, x = where(found)
    assert abs(y - 70) <= 2 and abs(x - 140) <= 2
    # The photograph is 112 of the frame's 224 rows: a place is 40 pixels, also across.
    wide = (found > found.max() / 2).any(0).sum(), (found > found.max() / 2).any(1).sum()
    assert abs(wide[0] - wide[1]) <= 2


def test_nothing_is_strange_outside_the_region_of_interest():
    spec = ImageSpec(224, roi=((0, 0), (1, 0), (0, 1)))
    found = photograph_map(np.ones(49, np.float32), GRID, (100, 100), spec)
    assert found[10, 10] == pytest.approx(1) and found[90, 90] == 0


@given(st.floats(0.0, 0.4), st.integers(0, 5))
def test_defects_among_the_photographs_hardly_move_the_level(share, seed):
    rng = np.random.default_rng(seed)
    good = np.exp(rng.normal(0, 0.1, 2000))
    mixed = np.where(rng.random(2000) < share, good * 3, good)
    clean = hot_level(good)
    assert (good >= clean).mean() == pytest.approx(0.05, abs=0.02)
    assert clean * 0.95 <= hot_level(mixed) <= clean * (1.4 if share > 0.2 else 1.15)


def test_photographs_that_are_all_alike_have_a_level_too():
    assert hot_level(np.full(9, 2.0)) == pytest.approx(2.0)
    assert hot_level(np.zeros(3)) > 0
    with pytest.raises(ValueError, match="no peaks"):
        hot_level(np.zeros(0))


def test_the_maps_of_tiles_lie_where_the_tiles_do():
    spec = ImageSpec(32, tiles="auto")
    size = (90, 60)  # 2 rows of 3 tiles
    distances = np.zeros((6, 4, 4), np.float32)
    distances[5, 3, 3] = 1  # the last place of the last tile
    distances[1, 0, 0] = 0.5  # the first of the middle one above
    found = photograph_map(distances.ravel(), (4, 4), size, spec)
    y, x = where(found)
    assert found.shape == (60, 90) and y > 50 and x > 80
    y, x = where(found[:30])
    assert y < 10 and 27 <= x <= 42


@given(st.integers(0, 60), st.integers(0, 30), st.integers(1, 30), st.integers(1, 30))
def test_a_part_of_a_map_is_that_part(left, top, wide, high):
    distances = np.random.default_rng(0).random(49).astype(np.float32)
    spec = ImageSpec(224, fit="letterbox", roi=((0.1, 0), (1, 0.1), (0.9, 1), (0, 0.9)))
    box = (left, top, left + wide, top + high)
    whole = photograph_map(distances, GRID, (90, 60), spec)
    part = photograph_map(distances, GRID, (90, 60), spec, box)
    np.testing.assert_allclose(part, whole[top : top + high, left : left + wide], atol=1e-6)


@given(st.integers(0, 80), st.integers(0, 50), st.integers(1, 20), st.integers(1, 20))
def test_the_places_of_a_box_are_those_that_its_pixels_lie_in(left, top, wide, high):
    size = (100, 70)
    box = (left, top, left + wide, top + high)
    found = places_in([box], GRID, size, ImageSpec(224)).reshape(GRID)
    expected = np.zeros(GRID, bool)
    for y in range(top, top + high):
        for x in range(left, min(100, left + wide)):
            expected[int(y / 70 * 7), int(x / 100 * 7)] = True
    # A pixel may lie in two places: what it only begins in is touched too.
    assert (found >= expected).all() and found.sum() <= (expected.sum() + 2 * 7) * 2
    assert not places_in([], GRID, size, ImageSpec(224)).any()


def test_a_box_beyond_the_crop_touches_no_place():
    spec = ImageSpec(224, crop=(0.5, 0, 1, 1))
    assert not places_in([(0, 0, 40, 100)], GRID, (200, 100), spec).any()
    assert places_in([(190, 90, 200, 100)], GRID, (200, 100), spec).nonzero()[0].tolist() == [48]
