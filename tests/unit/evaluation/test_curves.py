import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.evaluation.curves import area, band, labels_to_target

scores = st.floats(0, 1)
curves = st.lists(scores, min_size=2, max_size=12).map(
    lambda values: (list(np.arange(1, len(values) + 1) * 20.0), values)
)


def test_area_by_hand():
    assert area([0, 10, 40], [0.0, 1.0, 1.0]) == pytest.approx((5 + 30) / 40)
    assert area([20], [0.7]) == 0.7


def test_area_wants_increasing_answers():
    with pytest.raises(ValueError, match="increase"):
        area([20, 20], [0.1, 0.2])


@given(curves, st.floats(0.1, 10), st.floats(-5, 5))
def test_area_is_a_mean_height(curve, scale, shift):
    x, y = curve
    assert min(y) - 1e-9 <= area(x, y) <= max(y) + 1e-9
    moved = area([scale * v + shift for v in x], y)
    assert moved == pytest.approx(area(x, y))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.7, 0.9, 0.9], 50),
        ([0.9, 0.9, 0.1, 0.1], 20),  # there from the start, and for two rounds
        ([0.5, 0.9, 0.6, 0.9], None),  # up and down again; the last round alone proves nothing
        ([0.5, 0.9, 0.7, 0.9, 0.9], 70),  # the second crossing counts
        ([0.5, 0.8, 0.8], 40),  # exactly at the target
        ([0.1, 0.2, 0.3], None),
        ([0.9], None),
    ],
)
def test_labels_to_target_by_hand(values, expected):
    found = labels_to_target(20 * np.arange(1, len(values) + 1), values, 0.8)
    assert found == (None if expected is None else pytest.approx(expected))


def test_blanks_are_not_above():
    assert labels_to_target([20, 40, 60], [np.nan, np.nan, 0.9], 0.8) is None


@given(curves, scores)
def test_the_crossing_lies_on_the_curve(curve, target):
    x, y = curve
    found = labels_to_target(x, y, target)
    pairs = itertools.pairwise(y)
    assert (found is None) == (not any(min(pair) >= target for pair in pairs))
    if found is not None and found > x[0]:
        assert np.interp(found, x, y) == pytest.approx(target, abs=1e-9)


@given(curves, scores, scores)
def test_a_higher_target_never_needs_fewer_labels(curve, one, other):
    x, y = curve
    low, high = (labels_to_target(x, y, target) for target in sorted([one, other]))
    assert high is None or (low is not None and low <= high + 1e-9)


def test_the_band_is_read_on_the_common_range():
    found = band([[20, 40, 60], [30, 60, 90]], [[0.2, 0.4, 0.6], [0.3, 0.6, 0.9]])
    assert found.answers.tolist() == [30, 40, 60]
    assert found.mean == pytest.approx([0.3, 0.4, 0.6])
    assert found.low == pytest.approx(found.high)


def test_the_band_holds_the_mean_and_lies_within_the_curves():
    values = np.random.default_rng(0).random((8, 5))
    found = band([range(5)] * 8, values)
    assert np.all((values.min(0) <= found.low) & (found.low <= found.mean))
    assert np.all((found.mean <= found.high) & (found.high <= values.max(0)))


def test_one_seed_is_its_own_band():
    found = band([[20, 40]], [[0.2, 0.4]])
    assert found.low.tolist() == found.mean.tolist() == found.high.tolist() == [0.2, 0.4]


@pytest.mark.parametrize("answers", [[], [[20, 40], [60, 80]]])
def test_nothing_in_common_is_refused(answers):
    with pytest.raises(ValueError):
        band(answers, [[0.1, 0.2]] * len(answers))
