"""A changed line is noticed, an undisturbed one is left in peace."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from alvision.watch.drift import (
    EVERY,
    FEWEST,
    UNLUCKY,
    WINDOWS,
    chance,
    distances,
    run_test,
    typical,
)

LOOKS = 40
"""In a week of 2,000 images."""
FACTS = 15


def facts(rng, n):
    """Return facts as a line gives them: some independent, some alike, one in steps."""
    free = rng.normal(size=(n, FACTS - 5))
    alike = free[:, :4] + 0.1 * rng.normal(size=(n, 4))
    steps = rng.integers(0, 4, (n, 1)).astype(float)
    return np.concatenate([free, alike, steps], axis=1)


def alarms(rng, weeks, *, reference=300, looks=LOOKS):
    """Return how many weeks of an undisturbed line have an alarm."""
    usual, stream = facts(rng, reference), facts(rng, max(WINDOWS))
    count = 0
    for _ in range(weeks):
        alarmed = False
        for number in range(1, looks + 1):
            stream = np.concatenate([stream[EVERY:], facts(rng, EVERY)])
            alarmed |= bool(run_test(usual, stream, number=number).alarmed)
        count += alarmed
    return count


@given(
    arrays.arrays(float, st.tuples(st.integers(1, 9), st.just(2)), elements=st.integers(0, 5)),
    arrays.arrays(float, st.tuples(st.integers(1, 9), st.just(2)), elements=st.integers(0, 5)),
)
def test_the_distance_is_the_largest_gap_between_the_shares_below_any_value(first, second):
    gaps = [
        [abs((first[:, i] <= x).mean() - (second[:, i] <= x).mean()) for x in range(6)]
        for i in range(2)
    ]
    assert distances(first, second) == pytest.approx(np.max(gaps, axis=1))


def test_the_distance_is_that_of_scipy():
    rng = np.random.default_rng(7)
    first, second = facts(rng, 70), facts(rng, 90) + 0.3
    theirs = [stats.ks_2samp(first[:, i], second[:, i]).statistic for i in range(FACTS)]
    assert distances(first, second) == pytest.approx(theirs)


@pytest.mark.parametrize("size", [50, 300, 1000])
def test_both_parts_of_the_chance_are_bounds(size):
    slack = np.sqrt(np.log(2 * FACTS / UNLUCKY) / (2 * size))
    assert FACTS * stats.kstwo.sf(slack, size) <= UNLUCKY
    for distance in (0.1, 0.2, 0.3, 0.4):
        huge = 10**9  # a reference that is as good as the distribution itself
        bound = chance(np.array([distance]), huge, size)[0]
        assert bound >= stats.kstwo.sf(distance, size)


def test_a_few_undisturbed_weeks_raise_no_alarm():
    assert alarms(np.random.default_rng(0), 2) == 0


@pytest.mark.slow
def test_a_hundred_undisturbed_weeks_raise_at_most_one_alarm():
    assert alarms(np.random.default_rng(1), 100, looks=20) <= 1


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_twenty_lines_over_a_hundred_weeks_each(seed, record_property):
    raised = alarms(np.random.default_rng([2, seed]), 100, reference=60 + 40 * seed)
    record_property("weeks", 100)
    record_property("false alarms", raised)
    assert raised <= 1


def test_a_change_is_noticed_late_in_a_week_too_and_named():
    rng = np.random.default_rng(3)
    usual, stream = facts(rng, 300), facts(rng, 1000)
    stream[-100:, 3] += 1.2
    assert run_test(usual, stream, number=LOOKS).alarmed[0] == 3
    stream = facts(rng, 1000)
    stream[:, 5] += 0.7  # small and lasting: the long window sees it
    seen = run_test(usual, stream, number=LOOKS)
    assert seen.alarmed == [5] and seen.chances[0, 5] > seen.level


def test_a_look_needs_enough_images_on_both_sides():
    rng = np.random.default_rng(4)
    many, few = facts(rng, FEWEST), facts(rng, FEWEST - 1)
    assert run_test(many, many, number=1) is not None
    assert run_test(few, many, number=1) is None
    assert run_test(many, few, number=1) is None


def test_the_looks_of_a_week_share_its_alpha():
    rng = np.random.default_rng(5)
    usual, stream = facts(rng, 60), facts(rng, 60)
    levels = [run_test(usual, stream, number=k).level for k in range(1, 500)]
    assert sum(levels) * 2 * FACTS <= 0.001


def test_the_most_typical_images_of_a_change_are_those_that_there_are_more_of_now():
    rng = np.random.default_rng(6)
    usual = rng.normal(100, 5, 300)
    darker = np.where(np.arange(100) < 60, rng.normal(60, 3, 100), rng.normal(100, 5, 100))
    before, now, higher = typical(usual, darker)
    assert not higher
    assert (now[:20] < 60).all() and abs(darker[now[0]] - 60) < 2
    assert abs(usual[before[0]] - 100) < 2
    assert typical(usual, 200 - darker)[2]
