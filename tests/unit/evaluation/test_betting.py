"""Limits by betting: they hold while somebody looks, only ever close in, and match known cases."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.evaluation.betting import Draws, log_capital, ratio_limits, share_limits
from alvision.evaluation.draws import chances


def weighted(rng, images, length, doubts, uniform=0.8):
    """Draw like an audit and return the rows and what the limits need."""
    chance = chances(doubts, uniform)
    order = np.argsort(rng.exponential(size=images) / chance)[:length]
    left = np.cumsum(chance[order][::-1])[::-1] + (1 - chance[order].sum())
    return order, Draws(images, chance[order] / left, uniform / images / left)


def test_a_capital_that_was_worked_out_by_hand():
    """Two good images of 100 against a rate of .5: the bet is (r - guess) / variance, capped."""
    null = np.array([0.5])
    capital = log_capital(np.zeros(1, bool), Draws.uniform(100, 1), null, above=True, total=100)
    guess, largest = 0.5 / (0.5 / (0.85 * 0.5)), 0.98 * 0.5 / (1 - 0.5)
    bet = min((0.5 - guess) / (0.5 * (1 - 0.5)), largest)
    assert capital[0, 0] == pytest.approx(np.log1p(bet * 0.5))


def test_without_a_hit_it_takes_hardly_more_images_than_the_exact_plan():
    """299 prove 1 % at 95 %, one-sided, by Clopper and Pearson."""
    null = np.array([0.01])
    capital = log_capital(
        np.zeros(400, bool), Draws.uniform(20_000, 400), null, above=True, total=20_000
    )
    assert 299 <= np.argmax(capital[:, 0] >= np.log(20)) + 1 <= 299 * 1.1


@pytest.mark.parametrize("above", [True, False])
def test_the_mean_capital_against_the_truth_is_its_stake(above):
    """It is a martingale for hits wherever they are; the average over all orders is exact."""
    bad, chance = np.array([1, 0, 0, 1, 0]), np.array([0.1, 0.3, 0.2, 0.15, 0.25])
    mean = among_mean = 0.0
    for order in map(list, permutations(range(5))):
        left = np.cumsum(chance[order][::-1])[::-1]
        least = np.array([chance[order[k:]].min() for k in range(5)]) / left
        draws, probability = Draws(5, chance[order] / left, least), np.prod(chance[order] / left)
        told = {"above": above}
        capital = log_capital(bad[order], draws, np.array([0.4]), total=5, **told)
        mean += probability * np.exp(capital[2, 0])
        among = np.array([1, 1, 0, 1, 1])[order]
        ratio = log_capital(bad[order], draws, np.array([0.5]), total=None, among=among, **told)
        among_mean += probability * np.exp(ratio[2, 0])
    assert mean == pytest.approx(1)
    assert among_mean == pytest.approx(1)


@given(st.integers(0, 10**6), st.floats(0.01, 0.6), st.booleans())
@settings(max_examples=10, deadline=None)
def test_more_draws_never_widen_the_limits(seed, rate, ratio):
    rng = np.random.default_rng(seed)
    bad, counted = rng.random(300) < rate, rng.random(300) < 0.7
    rows, draws = weighted(rng, 300, 80, rng.random(300) * (1 + 4 * bad))
    hits = bad[rows] & counted[rows] if ratio else bad[rows]
    low, high = ratio_limits(hits, counted[rows], draws) if ratio else share_limits(hits, draws)
    assert np.all(low <= high)
    held = low[-1] > 0 or high[-1] < 1
    truth = (bad & counted).sum() / counted.sum() if ratio else bad.mean()
    if held and low.max() <= truth <= high.min():
        assert np.all(np.diff(low) >= 0)
        assert np.all(np.diff(high) <= 0)


@pytest.mark.parametrize("ratio", [False, True])
def test_the_truth_is_inside_at_every_moment_in_19_of_20_audits(ratio):
    missed = 0
    for run in range(120):
        rng = np.random.default_rng([5, run])
        bad = rng.permutation(1000) < 40
        rows, draws = weighted(rng, 1000, 300, np.exp(rng.normal(size=1000)) * (1 + 5 * bad))
        among = (bad | (np.arange(1000) % 5 == 0))[rows] if ratio else None
        truth = 40 / (bad | (np.arange(1000) % 5 == 0)).sum() if ratio else 0.04
        total = None if ratio else 1000
        capitals = [
            log_capital(bad[rows], draws, np.array([truth]), above=above, total=total, among=among)
            for above in (True, False)
        ]
        missed += max(map(np.max, capitals)) >= np.log(40)
    assert missed <= 11  # of 120, more than 6 expected ones by 2 standard deviations


def test_when_every_image_is_labelled_nothing_is_left_open():
    rng = np.random.default_rng(3)
    bad = rng.random(60) < 0.2
    rows, draws = weighted(rng, 60, 60, rng.random(60))
    for low, high in (
        share_limits(bad[rows], draws),
        ratio_limits(bad[rows], bad[rows] | True, draws),
    ):
        assert low[-1] == pytest.approx(high[-1]) == pytest.approx(bad.mean())


def test_draws_from_an_endless_source_are_those_from_a_very_large_set():
    hits, among = np.arange(90) % 9 == 0, np.arange(90) % 3 == 0
    endless, large = Draws.independent(90), Draws.uniform(10**8, 90)
    for one, other in (
        (share_limits(hits, endless), share_limits(hits, large)),
        (ratio_limits(hits, among, endless), ratio_limits(hits, among, large)),
    ):
        assert np.allclose(one, other, atol=1e-4)
        assert one[0][-1] < one[1][-1]


def test_a_known_denominator_scales_the_share():
    hits = np.zeros(200, bool)
    _, whole = share_limits(hits, Draws.uniform(5000, 200))
    _, half = share_limits(hits, Draws.uniform(5000, 200), among=2500)
    assert half[-1] == pytest.approx(2 * whole[-1], rel=0.1)


def test_what_cannot_be_a_draw_is_refused():
    with pytest.raises(ValueError, match="3 draws"):
        Draws(2, np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="at least the lowest"):
        Draws(9, np.array([0.1]), np.array([0.2]))
    with pytest.raises(ValueError, match="not among"):
        ratio_limits(np.array([True]), np.array([False]), Draws.uniform(9, 1))
