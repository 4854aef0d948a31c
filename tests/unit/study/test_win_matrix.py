import numpy as np
import pytest

from alvision.study.statistics import holm, sign_flip_test
from alvision.study.win_matrix import all_pairs

LUCK = np.random.default_rng(0).normal(0.7, 0.05, 12)


def areas(**effects):
    rng = np.random.default_rng(1)
    return {name: LUCK + effect + rng.normal(0, 0.01, 12) for name, effect in effects.items()}


def test_every_two_are_compared_once_and_corrected_together():
    found = areas(random_sampling=0, margin=0.05, entropy=0.05, k_center=-0.05)
    pairs = all_pairs(found)
    assert [(p.first, p.second) for p in pairs][:3] == [
        ("random_sampling", name) for name in ("margin", "entropy", "k_center")
    ]
    assert len(pairs) == 6
    raw = [sign_flip_test(found[p.first] - found[p.second]) for p in pairs]
    assert [p.p_value for p in pairs] == pytest.approx(holm(raw))


def test_a_winner_is_named_only_where_it_is_shown():
    pairs = {
        (p.first, p.second): p
        for p in all_pairs(areas(random_sampling=0, margin=0.05, entropy=0.05, k_center=-0.05))
    }
    assert pairs["random_sampling", "margin"].winner == "margin"
    assert pairs["random_sampling", "margin"].ahead == 0
    assert pairs["margin", "k_center"].winner == "margin"
    alike = pairs["margin", "entropy"]
    assert alike.winner is None
    assert 0 < alike.detectable < 0.05
    assert alike.difference.low < 0 < alike.difference.high


def test_too_few_seeds_show_nothing_and_could_find_nothing():
    few = {name: values[:6] for name, values in areas(a=0, b=0.1, c=0.2).items()}
    assert all(p.p_value is p.detectable is p.winner is None for p in all_pairs(few))
    assert all_pairs({"a": LUCK}) == ()


def test_a_tie_counts_half():
    [pair] = all_pairs({"a": LUCK, "b": LUCK})
    assert (pair.ahead, pair.p_value) == (6, 1)
