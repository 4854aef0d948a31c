from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.anomaly.joined import Joined, Place, join

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
POOLS = st.lists(NUMBERS, min_size=1, max_size=30).map(np.array)


def pool(seed=0, count=400):
    rng = np.random.default_rng(seed)
    return rng.normal(size=count), np.exp(rng.normal(size=count))


@given(POOLS, st.lists(NUMBERS, min_size=2, max_size=10))
def test_a_larger_value_is_never_placed_lower(values, asked):
    found = Place.among(values)(np.sort(asked))
    assert np.isfinite(found).all() and (np.diff(found) >= -1e-9).all()


def test_a_place_is_the_log_odds_of_the_share_below():
    values = np.arange(1001.0)
    found = Place.among(values)(np.array([500.0, 900.0, 990.0]))
    assert found == pytest.approx([0, np.log(9), np.log(99)], abs=0.05)


def test_a_place_does_not_depend_on_the_unit_and_beyond_the_pool_the_order_stays():
    _, values = pool()
    asked = np.array([0.2, 1.0, 5.0, 100.0, 200.0])
    found = Place.among(values)(asked)
    assert Place.among(7 * values)(7 * asked) == pytest.approx(found)
    assert (np.diff(found) > 0).all()


@given(POOLS)
def test_without_a_known_defect_the_score_is_novelty(novelty):
    said = np.linspace(-1, 1, len(novelty))
    score = join(said, novelty, 0)(said, novelty)
    order = novelty.argsort(kind="stable")
    assert (np.diff(score[order]) >= -1e-9).all()


def test_the_classifier_counts_more_with_each_defect_and_half_with_twenty():
    shares = [join(*pool(), defects).share for defects in (0, 1, 20, 200)]
    assert shares == sorted(shares) and shares[2] == 0.5 and shares[3] > 0.9


def test_as_many_are_called_defects_as_the_classifier_calls():
    said, novelty = pool()
    for defects in (1, 10, 1000):
        score = join(said - 1.5, novelty, defects)(said - 1.5, novelty)
        assert (score > 0).mean() == pytest.approx((said > 1.5).mean(), abs=0.01)
    nobody = join(said, novelty, 0)(said, novelty)
    assert (nobody > 0).mean() == pytest.approx(0.01, abs=0.005)


def test_two_half_good_opinions_are_better_than_either():
    rng = np.random.default_rng(3)
    bad = np.arange(1000) >= 900
    said, strange = rng.normal(size=1000) + 1.5 * bad, np.exp(rng.normal(size=1000) + 1.5 * bad)

    def found(score):
        return np.isin(score.argsort()[-100:], bad.nonzero()[0]).mean()

    assert found(join(said, strange, 20)(said, strange)) > max(found(said), found(strange)) + 0.05


def test_plain_numbers_give_it_back():
    joined = join(*pool(), 5)
    assert Joined.of(asdict(joined)) == joined
