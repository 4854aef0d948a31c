import numpy as np
import pytest
from scipy.stats import multinomial

from alvision.deploy.promote.paired_test import difference_at_most, paired, pairs_needed


def let_through(n, margin, share, confidence=0.95):
    """Return how often a model that is worse by exactly the margin passes, by enumeration."""
    worse, better = (v.ravel() for v in np.mgrid[0 : n + 1, 0 : n + 1])
    possible = worse + better <= n
    rows = np.stack([worse, better, n - worse - better], 1)[possible]
    chances = multinomial.pmf(rows, n, [share + margin, share, 1 - 2 * share - margin])
    likely = chances > 1e-7
    return sum(
        chance
        for (b, c, _), chance in zip(rows[likely], chances[likely], strict=True)
        if difference_at_most(int(b), int(c), n, confidence=confidence) < margin
    )


@pytest.mark.parametrize(("n", "margin", "share"), [(60, 0.1, 0.02), (60, 0.05, 0.0)])
def test_a_model_that_is_worse_by_the_margin_rarely_passes(n, margin, share):
    assert let_through(n, margin, share) < 0.06


def test_walds_interval_would_let_it_through_too_often():
    n, margin = 60, 0.1
    share = 0.0
    worse = np.arange(n + 1)
    chances = multinomial.pmf(np.stack([worse, n - worse], 1), n, [margin, 1 - margin])
    difference = worse / n
    wald = difference + 1.645 * np.sqrt((difference - difference**2) / n)
    assert chances[wald < margin].sum() > 1.8 * let_through(n, margin, share)


def test_a_better_model_is_shown_to_be_better():
    found = paired([True] * 30 + [False] * 70, [False] * 100, confidence=0.95)
    assert (found.n, found.worse, found.better) == (100, 0, 30)
    assert found.difference == -0.3 and found.at_most < -0.2 and found.within(0.01)


def test_alike_on_few_images_shows_little():
    needed = pairs_needed(0.01, confidence=0.95)
    few, enough = (paired([False] * n, [False] * n, confidence=0.95) for n in (needed - 1, needed))
    assert not few.within(0.01) and enough.within(0.01)
    assert paired([], [], confidence=0.95).at_most == 1.0


def test_more_worse_images_never_help():
    limits = [difference_at_most(b, 3, 50, confidence=0.95) for b in range(48)]
    assert (np.diff(limits) > 0).all()
    assert difference_at_most(50, 0, 50, confidence=0.95) == 1.0
