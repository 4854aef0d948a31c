"""A learning curve carried on: known curves come back, and it says when it cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.advice.forecast import LEAST_ROUNDS, fit

LABELS = tuple(range(20, 180, 20))


def scores(rate=0.8, scale=4.0, floor=0.05):
    return tuple(float(1 - scale * n**-rate - floor) for n in LABELS)


def test_a_power_law_comes_back():
    curves = fit(LABELS, scores())
    true = 4 * 160**-0.8 - 4 * 320**-0.8
    ahead = curves.gain(160)
    assert ahead.low <= true <= ahead.high
    assert ahead.value == pytest.approx(true, abs=0.01)
    assert curves.weight.sum() == pytest.approx(1)


def test_the_labels_to_a_target_are_in_their_interval():
    needed = fit(LABELS, scores()).labels_to(1 - 0.05 - 4 * 260**-0.8)
    assert needed.low < 260 < needed.high


def test_a_target_that_the_curve_does_not_head_for_is_none():
    flat = (0.5, 0.69, 0.701, 0.7, 0.699, 0.7, 0.701, 0.7)
    assert fit(LABELS, flat).labels_to(0.95) is None


def test_with_few_rounds_there_is_no_forecast():
    few = LEAST_ROUNDS - 1
    assert fit(LABELS[:few], scores()[:few]) is None


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=8), st.floats(0.1, 1))
def test_any_rounds_give_ordered_finite_figures(values, target):
    curves = fit(LABELS[: len(values)], tuple(values))
    ahead, needed = curves.gain(20), curves.labels_to(target)
    assert 0 <= ahead.low <= ahead.value <= ahead.high <= 1 + 1e-9
    if needed is not None:
        assert curves.labels <= needed.low <= needed.high < np.inf
