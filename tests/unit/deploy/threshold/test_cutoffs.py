import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.deploy.threshold.cutoffs import (
    NotEnoughDefects,
    cost_band,
    escape_threshold,
    human_band,
    one_a_group,
    overkill,
)

DEPLOYMENTS = 2000


def broken(draw, rule, *, escape, confidence):
    """Return the share of deployments whose true escape rate exceeds the promise.

    Scores are uniform, so a threshold is the true escape rate.
    """
    rng = np.random.default_rng(7)
    thresholds = np.array([rule(*draw(rng), escape, confidence, rng) for _ in range(DEPLOYMENTS)])
    return np.mean(thresholds > escape)


def noise(level):
    """Return three standard errors of a share over all deployments."""
    return 3 * (level * (1 - level) / DEPLOYMENTS) ** 0.5


def ours(scores, groups, escape, confidence, rng):
    return escape_threshold(scores, escape=escape, confidence=confidence, groups=groups, rng=rng)


def expectation_rule(scores, groups, escape, confidence, rng):
    """Bound the mean escape rate only: the k-th smallest score with k = floor(escape (n + 1))."""
    return np.sort(scores)[int(escape * (len(scores) + 1)) - 1]


def independent(n):
    return lambda rng: (rng.uniform(size=n), None)


def lots(count, each, correlation):
    """Defects of one lot are alike: a normal shared by the lot, made uniform."""

    def draw(rng):
        from scipy.stats import norm

        shared = np.repeat(rng.normal(size=count), each)
        own = rng.normal(size=count * each)
        scores = norm.cdf(correlation**0.5 * shared + (1 - correlation) ** 0.5 * own)
        return scores, [f"lot {i // each}" for i in range(count * each)]

    return draw


@pytest.mark.parametrize(("n", "escape"), [(59, 0.05), (149, 0.02), (150, 0.10)])
def test_the_promise_is_kept(n, escape):
    share = broken(independent(n), ours, escape=escape, confidence=0.95)
    assert share <= 0.05 + noise(0.05)


def test_the_promise_is_kept_with_lots_of_defects_that_are_alike():
    share = broken(lots(60, 5, 0.4), ours, escape=0.05, confidence=0.95)
    assert share <= 0.05 + noise(0.05)


def test_taking_the_defects_of_a_lot_for_independent_breaks_it():
    def careless(scores, groups, escape, confidence, rng):
        return escape_threshold(scores, escape=escape, confidence=confidence)

    assert broken(lots(20, 15, 0.4), careless, escape=0.05, confidence=0.95) > 0.1


def test_the_rule_of_the_expected_escape_rate_breaks_it():
    share = broken(independent(149), expectation_rule, escape=0.05, confidence=0.95)
    assert share > 0.3


def test_it_refuses_exactly_when_it_should():
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=59)
    assert escape_threshold(scores, escape=0.05, confidence=0.95) == scores.min()
    with pytest.raises(NotEnoughDefects, match=r"needs 59 independent.*there are 58: 1 more") as no:
        escape_threshold(scores[:58], escape=0.05, confidence=0.95)
    assert (no.value.found, no.value.needed) == (58, 59)
    assert no.value.provable == pytest.approx(1 - 0.05 ** (1 / 58))
    with pytest.raises(NotEnoughDefects, match="nothing can be promised without one"):
        escape_threshold([], escape=0.05, confidence=0.95)
    with pytest.raises(NotEnoughDefects, match="there are 4"):
        escape_threshold(
            scores, escape=0.05, confidence=0.95, groups=[f"{i % 4}" for i in range(59)], rng=rng
        )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"escape": 0.0}, "escape=0.0 must lie between 0 and 1"),
        ({"confidence": 95}, "confidence=95 must lie"),
        ({"defect_scores": [0.1, float("nan")]}, "one finite number a defect"),
        ({"groups": ["a", "b"]}, "groups need a generator"),
    ],
)
def test_bad_arguments_are_named(changes, told):
    arguments = {"defect_scores": [0.1, 0.2], "escape": 0.5, "confidence": 0.5} | changes
    with pytest.raises(ValueError, match=told):
        escape_threshold(**arguments)


@given(st.lists(st.sampled_from("abc"), min_size=1), st.integers(0, 99))
def test_one_of_each_group(groups, seed):
    rows = one_a_group(groups, np.random.default_rng(seed)).tolist()
    assert sorted(groups[row] for row in rows) == sorted(set(groups))
    assert rows == sorted(rows)


def test_every_member_of_a_group_has_the_same_chance():
    rng = np.random.default_rng(0)
    counts = np.bincount([one_a_group(list("aaab"), rng)[0] for _ in range(900)], minlength=3)
    assert (abs(counts - 300) < 60).all()


def test_equal_scores_are_all_rejected():
    threshold = escape_threshold([0.5] * 60, escape=0.05, confidence=0.95)
    assert overkill([0.5] * 10, threshold, confidence=0.95) == (1.0, 1.0)


SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.4, 0.5, 0.8]), min_size=1, max_size=20)


@given(SCORES, st.floats(0, 1))
def test_a_band_never_asks_for_more_than_there_is_time(scores, human):
    band = human_band(scores, 0.3, human=human)
    assert band.human <= human + 1e-9
    assert band.low <= band.high
    looked_at = sum(band.low <= score < band.high for score in scores)
    assert band.human == looked_at / len(scores)


@given(SCORES, SCORES)
def test_free_looks_reject_nothing_unseen_and_dear_ones_everything(defects, good):
    assert not any(score >= cost_band(defects, good, 0.3, look=0, scrap=1).high for score in good)
    assert cost_band(defects, good, 0.3, look=9, scrap=0).human == 0
