import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alvision.deploy.threshold.binomial import (
    allowed_misses,
    best_escape,
    defects_needed,
    rate_at_most,
)

SHARE = st.floats(0.01, 0.5)
SURE = st.floats(0.5, 0.99)


@given(st.integers(0, 400), SHARE, SURE)
def test_it_is_the_definition(n, escape, confidence):
    fitting = [k for k in range(1, n + 1) if stats.beta.cdf(escape, k, n - k + 1) >= confidence]
    expected = max(fitting) - 1 if fitting else None
    assert allowed_misses(n, escape=escape, confidence=confidence) == expected


@given(SHARE, SURE)
def test_the_needed_number_is_the_smallest_that_does(escape, confidence):
    n = defects_needed(escape=escape, confidence=confidence)
    assert allowed_misses(n, escape=escape, confidence=confidence) == 0
    assert allowed_misses(n - 1, escape=escape, confidence=confidence) is None
    assert best_escape(n, confidence=confidence) <= escape * (1 + 1e-6)
    assert best_escape(n - 1, confidence=confidence) > escape * (1 - 1e-6)


def test_the_limit_of_a_rate_agrees_with_scipy():
    for count, n in ((0, 10), (3, 10), (10, 10), (7, 300)):
        exact = stats.binomtest(count, n, alternative="less").proportion_ci(0.95, method="exact")
        assert rate_at_most(count, n, confidence=0.95) == pytest.approx(exact.high)
    assert rate_at_most(0, 0, confidence=0.95) == 1
