import numpy as np
import pytest

from alvision.evaluation.intervals import bootstrap, mean_interval, percentiles


def test_the_interval_covers_as_often_as_it_says_with_eight_seeds():
    rng = np.random.default_rng(0)
    draws = rng.normal(0.7, 0.02, (200, 8))
    found = [mean_interval(values) for values in draws]
    covered = np.mean([e.low <= 0.7 <= e.high for e in found])
    assert 0.91 <= covered <= 0.99


def test_the_width_is_that_of_the_t_interval():
    values = np.random.default_rng(1).normal(size=10)
    found = mean_interval(values)
    half = 2.262 * values.std(ddof=1) / np.sqrt(10)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.12)


def test_many_repetitions_need_no_expansion():
    assert percentiles(10_000) == pytest.approx((2.5, 97.5), abs=0.02)
    assert percentiles(1) == (0, 100)


def test_the_same_data_give_the_same_interval():
    values = np.arange(8.0)
    assert mean_interval(values) == mean_interval(values)


def test_pairs_stay_together():
    a = np.array([1.0, 5.0, 9.0, 2.0])
    found = bootstrap(a, 2 * a, statistic=lambda x, y: x.mean(-1) / y.mean(-1))
    assert (found.low, found.value, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_one_repetition_has_no_spread():
    found = mean_interval(np.array([3.0]))
    assert (found.low, found.value, found.high) == (3, 3, 3)
