"""Audit draws: known probabilities, bounded by the uniform share, drawn as often as they say."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvision.evaluation.draws import UNIFORM_SHARE, chances, draw


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_chances_sum_to_one_and_none_is_far_below_the_others(doubts):
    found = chances(np.array(doubts))
    assert np.isclose(found.sum(), 1)
    assert found.min() >= UNIFORM_SHARE / len(doubts) * (1 - 1e-9)


@given(st.integers(1, 12), st.integers(0, 20))
def test_each_image_is_drawn_once_and_the_last_one_for_sure(images, n):
    rng = np.random.default_rng(images)
    doubts = dict(zip("abcdefghijkl"[:images], rng.random(images), strict=True))
    drawn = draw(doubts, rng.random(images), n)
    assert len({one.id for one in drawn}) == len(drawn) == min(n, images)
    assert all(0 < one.propensity <= 1 for one in drawn)
    if n >= images:
        assert drawn[-1].propensity == 1


def test_images_are_drawn_as_often_as_their_propensity_says():
    rng, doubts = np.random.default_rng(0), {"a": 0.0, "b": 0.1, "c": 0.9}
    firsts = [draw(doubts, rng.random(3), 1)[0] for _ in range(4000)]
    count = Counter(firsts)
    assert len(count) == 3
    for one, times in count.items():
        assert abs(times - 4000 * one.propensity) < 4 * np.sqrt(4000 * one.propensity)
