import numpy as np
import pytest
from scipy.stats import binom

from alvision.deploy.promote.paired_test import chance, excludes, paired, pairs_needed
from alvision.deploy.promote.paired_test import difference_at_most as at_most
from alvision.deploy.threshold.binomial import defects_needed


def fewest_better(n, margin, confidence):
    """Return for each number of worse images how many better ones are needed to pass.

    The list ends where no number is enough. One more better image never hurts, and one more worse
    image never helps, so each is looked for from the one before on.
    """
    fewest = [0]
    for worse in range(n + 1):
        better, step = fewest[-1], 1

        def passes(better, worse=worse):
            return excludes(worse, better, n, margin, confidence=confidence)

        if not passes(n - worse):
            break
        while better + step <= n - worse and not passes(better + step - 1):
            better, step = better + step, 2 * step
        low, high = better - 1, min(better + step - 1, n - worse)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if passes(middle) else (middle, high)
        fewest.append(high)
    return np.array(fewest[1:])


def let_through(fewest, n, difference, shares):
    """Return how often a model that is worse by a difference is let through, by enumeration."""
    worse = np.arange(len(fewest))

    def often(q):
        better = binom.sf(fewest - 1, n - worse, q / (1 - q - difference))
        return binom.pmf(worse, n, q + difference) @ better

    return max(often(q) for q in shares)


GRID = [(0.1, 0.95), (0.05, 0.95), (0.2, 0.9), (0.1, 0.9875)]
LARGE = [(0.02, 0.95), (0.05, 0.996875), (0.1, 0.999)]


def check_level(margin, confidence, n):
    """Let no model through that is worse by the margin or more, more often than stated."""
    fewest = fewest_better(n, margin, confidence)
    rng = np.random.default_rng(n)
    # Other shares than those that the test itself looks at.
    shares = [0, *(rng.random(60) * (1 - margin) / 2), *(rng.random(60) * 5 / n)]
    assert let_through(fewest, n, margin, shares) <= 1 - confidence + 1e-5
    for more in (1.05, 1.5):
        further = [q for q in shares if 2 * q + more * margin <= 1]
        assert let_through(fewest, n, more * margin, further) <= 1 - confidence


@pytest.mark.parametrize(("margin", "confidence"), GRID)
def test_a_model_that_is_worse_by_the_margin_passes_no_more_often_than_stated(margin, confidence):
    check_level(margin, confidence, pairs_needed(margin, confidence=confidence))


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "confidence"), [*GRID, *LARGE])
@pytest.mark.parametrize("times", [1, 1.1, 1.7])
def test_the_level_holds_at_the_fewest_images_and_above(margin, confidence, times):
    check_level(margin, confidence, round(times * pairs_needed(margin, confidence=confidence)))


@pytest.mark.slow
def test_one_more_worse_or_one_less_better_image_never_helps():
    n, margin = 12, 0.2
    for b in range(n):
        for c in range(n - b):
            here = chance(b, c, n, margin)
            assert chance(b + 1, c, n, margin) >= here - 1e-9
            assert chance(b, c + 1, n, margin) <= here + 1e-9


def test_a_better_model_is_shown_to_be_better():
    found = paired([True] * 30 + [False] * 70, [False] * 100, confidence=0.95)
    assert (found.n, found.worse, found.better) == (100, 0, 30)
    assert found.difference == -0.3 and found.within(0.01) and found.at_most < 0.01


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2])
def test_alike_on_few_images_shows_little(margin, confidence):
    needed = pairs_needed(margin, confidence=confidence)
    assert needed == defects_needed(escape=margin, confidence=confidence)
    few, enough = (
        paired([False] * n, [False] * n, confidence=confidence) for n in (needed - 1, needed)
    )
    assert not few.within(margin) and enough.within(margin)
    assert enough.at_most <= margin + 2e-6 and few.at_most > margin - 2e-6


def test_without_images_nothing_is_shown():
    nothing = paired([], [], confidence=0.95)
    assert nothing.at_most == 1.0 and not nothing.within(0.5)


@pytest.mark.slow
def test_more_worse_images_never_help():
    limits = [at_most(b, 3, 50, confidence=0.95) for b in range(0, 48, 9)]
    assert (np.diff(limits) > 0).all()
    assert at_most(50, 0, 50, confidence=0.95) == 1.0


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 40), (2, 5, 100), (9, 1, 60), (0, 30, 100)])
def test_the_limit_and_the_verdict_agree(b, c, n):
    limit = at_most(b, c, n, confidence=0.95)
    for margin in (limit - 2e-3, limit + 2e-3):
        if margin > max(0, (b - c) / n):
            assert excludes(b, c, n, margin, confidence=0.95) == (margin > limit)
