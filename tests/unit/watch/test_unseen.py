"""How many bad images may have passed unseen, at every moment of an audit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.watch.unseen import bad_at_most


@given(st.integers(0, 300), st.floats(0.001, 0.999))
def test_the_limit_rises_with_what_was_found_and_falls_with_the_share(found, share):
    limit = bad_at_most(found, share, confidence=0.95)
    assert found <= limit < bad_at_most(found + 1, share, confidence=0.95)
    assert limit >= bad_at_most(found, min(1.5 * share, 1), confidence=0.95)
    assert limit >= bad_at_most(found, share, confidence=0.9)


@given(st.floats(0.001, 0.5))
def test_where_nothing_was_found_the_price_of_looking_is_a_tenth(share):
    once = math.log(0.05) / math.log1p(-share)
    assert once - 1 <= bad_at_most(0, share, confidence=0.95) <= 1.1 * once + 1


def test_with_every_image_drawn_all_are_found():
    assert bad_at_most(3, 1.0, confidence=0.95) == 3


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_the_limit_holds_at_every_moment_in_95_of_100_audits(share):
    """Each moment is a bad image, found or not: between two of them the limit is the same."""
    rng, runs, bad = np.random.default_rng(0), 2000, int(40 / share)
    limits = [bad_at_most(found, share, confidence=0.95) for found in range(bad + 1)]
    found = (rng.random((runs, bad)) < share).cumsum(axis=1)
    failed = (np.arange(1, bad + 1) > np.array(limits)[found]).any(axis=1)
    # 5 % may fail; three standard errors of 2,000 runs are 1.5 %.
    assert failed.mean() < 0.065
