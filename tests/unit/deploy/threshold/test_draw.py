import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvision.deploy.threshold.draw import draw_independent, independent_parts

GROUPS = st.lists(st.sampled_from("abc"), min_size=1)


@given(GROUPS, st.integers(0, 99))
def test_at_most_one_of_each_group_and_one_of_the_largest(groups, seed):
    rows = draw_independent(groups, np.random.default_rng(seed)).tolist()
    drawn = [groups[row] for row in rows]
    assert rows == sorted(rows) and len(set(drawn)) == len(drawn)
    assert {one for one in groups if groups.count(one) == max(map(groups.count, groups))} <= set(
        drawn
    )


def test_every_row_has_the_same_chance():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([draw_independent(list("aabaab"), rng) for _ in range(4000)])
    assert (abs(np.bincount(drawn, minlength=6) - 1000) < 100).all()


def test_groups_of_equal_size_give_one_row_each():
    rng = np.random.default_rng(0)
    assert draw_independent(list("abcd"), rng).tolist() == [0, 1, 2, 3]
    assert len(draw_independent(list("abcd") * 3, rng)) == 4
    assert draw_independent([], rng).tolist() == []


@given(st.dictionaries(st.text("0123", min_size=1, max_size=4), st.sampled_from("abc")))
def test_the_same_images_give_the_same_draw_in_any_order(groups):
    again = dict(reversed(groups.items()))
    assert independent_parts(groups) == independent_parts(again)
