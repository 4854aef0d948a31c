from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision.acquisition import novel, rare, threshold_search, uncertainty_herding
from alvision.acquisition.rare import ENOUGH, SEARCH, WEIGHTS
from alvision.acquisition.threshold import best_threshold
from alvision.inference.predictions import Predictions
from tests.support.pools import NOTHING, generator, ids, pool_of


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def pool(n=60, classes=2):
    log_probs = normal(n, 1, classes, seed=1).log_softmax(-1)
    top = log_probs.exp().mean(1).topk(2).values
    return pool_of(
        features=normal(n, 5),
        novelty=normal(n, seed=2).abs(),
        log_probs=log_probs,
        scores=1 - (top[:, 0] - top[:, 1]),
    )


def labelled(counts, defects=(1,)):
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(counts)]).long()
    return Predictions(
        ids(len(labels)),
        features=normal(len(labels), 5, seed=3),
        log_probs=normal(len(labels), 1, len(counts), seed=4).log_softmax(-1),
        labels=labels,
        defects=defects,
    )


def parts_of(pick):
    return {name: pick.slots.count(name) for name in dict.fromkeys(pick.slots)}


def test_the_search_is_shared_by_its_weights():
    pick = rare(pool(), labelled([9, 3]), n=20, rng=generator())
    assert parts_of(pick) == {name: round(20 * share) for name, share in SEARCH.items()}
    drawn = torch.tensor([slot == "random" for slot in pick.slots])
    assert torch.equal(pick.propensity.isnan(), ~drawn)


def test_before_any_defect_is_known_nothing_is_sought_that_is_like_one():
    pick = rare(pool(), labelled([9, 0]), n=20, rng=generator())
    assert parts_of(pick) == {"novel": 18, "random": 2}


def test_with_enough_of_each_it_is_the_default():
    images, known = pool(), labelled([9, ENOUGH])
    pick = rare(images, known, n=10, rng=generator())
    assert set(pick.slots) == {"herding"}
    expected = uncertainty_herding(images, known, n=10, rng=generator())
    assert torch.equal(pick.rows, expected.rows)
    assert parts_of(rare(images, labelled([9, ENOUGH - 1]), n=10, rng=generator())).keys() != {
        "herding"
    }


def test_each_kind_of_defect_that_has_enough_hands_its_share_over():
    images = pool(classes=3)
    pick = rare(images, labelled([9, ENOUGH, 2], defects=(1, 2)), n=20, rng=generator())
    assert parts_of(pick)["herding"] == 10


def test_shares_are_the_users_to_choose():
    some = partial(rare, weights={**WEIGHTS, "random": 0.0, "threshold": 0.0})
    pick = some(pool(), labelled([9, 3]), n=20, rng=generator())
    assert parts_of(pick).keys() == {"novel", "similar"}


def test_the_strangest_come_first_and_not_twice_the_same():
    features = torch.tensor([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 2 + [[-1.0, 0.0]] * 20)
    novelty = torch.tensor([9.0] * 5 + [7.0] * 2 + [1.0] * 20)
    images = pool_of(features=features, novelty=novelty)
    pick = novel(images, NOTHING, n=2, rng=generator())
    assert pick.rows.tolist() == [0, 5] and pick.scores.tolist() == [9.0, 7.0]
    known = pool_of(features=torch.tensor([[1.0, 0.0]]))
    assert novel(images, known, n=1, rng=generator()).rows.tolist() == [0]  # 7 is not among 3
    assert novel(images, known, n=2, rng=generator()).rows.tolist()[0] == 5


def test_novelty_that_tells_nothing_apart_is_no_obstacle():
    images = pool_of(features=normal(9, 3), novelty=torch.full((9,), 2.0))
    assert len(set(novel(images, NOTHING, n=9, rng=generator()).rows.tolist())) == 9


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=12))
def test_no_other_threshold_has_fewer_errors(rows):
    chances = torch.tensor([chance for chance, _ in rows])
    bad = torch.tensor([defective for _, defective in rows])

    def errors(limit):
        return int(((chances.double() > limit) != bad).sum())

    others = [-1.0, 2.0, *chances.double().tolist()]
    distinct = len(set(chances.tolist())) == len(rows)
    assert not distinct or errors(best_threshold(chances, bad)) <= min(map(errors, others))


def test_rows_on_both_sides_of_the_threshold_are_asked_for():
    chances = torch.tensor([0.01, 0.05, 0.12, 0.2, 0.3, 0.9])
    images = pool_of(log_probs=torch.stack([1 - chances, chances], 1)[:, None].log())
    known = torch.tensor([0.02, 0.1, 0.26, 0.5])
    seen = Predictions(
        ids(4),
        log_probs=torch.stack([1 - known, known], 1)[:, None].log(),
        labels=torch.tensor([0, 0, 1, 1]),
        defects=(1,),
    )
    pick = threshold_search(images, seen, n=2, rng=generator())
    assert sorted(pick.rows.tolist()) == [2, 3]  # the limit is .18


def test_defects_that_nobody_named_are_asked_for():
    for strategy in (rare, threshold_search):
        with pytest.raises(ValueError, match=r"defects=\[\.\.\.\]"):
            strategy(pool(), labelled([3, 3], defects=None), n=2, rng=generator())
