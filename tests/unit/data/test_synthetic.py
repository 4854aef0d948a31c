import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.data.synthetic import KINDS, pasted, shape


def rng(seed=0):
    return np.random.default_rng(seed)


@given(
    st.sampled_from(KINDS),
    st.integers(3, 60),
    st.integers(4, 100),
    st.integers(0, 99),
    st.integers(0, 79),
    st.integers(0, 9),
)
def test_a_defect_changes_its_box_by_its_contrast_and_nothing_far_from_it(
    kind, size, contrast, x, y, seed
):
    good = np.full((80, 100, 1), 120, np.uint8)
    bad, (left, top, right, bottom) = pasted(good, kind, size, contrast, (x, y), rng(seed))
    change = np.abs(bad.astype(int) - 120)[..., 0]
    assert 0.5 * contrast <= change.max() <= contrast
    assert 0 <= left < right <= 100 and 0 <= top < bottom <= 80
    reach = size // 2 + 3
    assert max(right - left, bottom - top) <= size + 5
    far = change.copy()
    far[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach] = 0
    assert far.max() == 0 and (good == 120).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [6, 24, 96])
def test_its_longest_extent_is_its_size(kind, size):
    mark = shape(kind, size, rng(1)) > 0.3
    rows, columns = (np.flatnonzero(mark.any(axis)) for axis in (1, 0))
    extent = np.hypot(np.ptp(rows), np.ptp(columns)) if kind == "scratch" else np.ptp(rows)
    assert 0.7 * size - 1 <= extent <= 1.15 * size + 2


def test_on_black_a_pit_is_lighter_and_on_white_a_scratch_is_darker():
    black, white = (np.full((40, 40, 3), level, np.uint8) for level in (5, 250))
    assert pasted(black, "pit", 10, 30, (20, 20), rng())[0].max() == 35
    assert pasted(white, "scratch", 10, 30, (20, 20), rng())[0].min() < 240


def test_the_same_seed_draws_the_same(kind="stain"):
    grey = np.full((40, 40, 1), 99, np.uint8)
    first, second = (pasted(grey, kind, 20, 30, (20, 20), rng(3))[0] for _ in range(2))
    assert (first == second).all()
    with pytest.raises(ValueError, match="no such defect"):
        shape("dent", 5, rng())
