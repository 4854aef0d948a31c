"""Looking over the pool in the background."""

from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.records import Query, QueryRow
from alvision.explain.overview import AT_ONCE, PoolOverview, alternately, project
from alvision.run_folder.overview import read_overview

CLASSES = ("ok", "worn")
FITTED = SimpleNamespace(fitted=True)


class Learner:
    """Expects the second class of images with an odd number, and cannot read the last one."""

    classes = CLASSES

    def __init__(self, broken):
        self.broken, self.pieces = broken, []

    def infer(self, model, ids, *, needs, round):
        self.pieces.append(len(ids))
        ids = tuple(id for id in ids if id != self.broken)
        odd = torch.tensor([int(id[:-4]) % 2 for id in ids])
        share = torch.where(odd == 1, 0.9, 0.2)
        log_probs = torch.stack([1 - share, share], 1).log()[:, None]
        features = torch.stack([1.0 + odd, torch.arange(len(ids)) + 1.0], 1)
        return SimpleNamespace(ids=ids, log_probs=log_probs, features=features)


def looked(tmp_path, pool, query, model=FITTED, broken=None):
    learner = Learner(broken)
    before = SimpleNamespace(read=lambda name: model)
    rnd = SimpleNamespace(previous=before if model else None)
    hashes = {id: f"{k:04d}" for k, id in enumerate(reversed(pool))}
    look = PoolOverview(tmp_path, lambda number: rnd, learner, lambda: pool, hashes, 0)
    return list(look(query)), learner.pieces


def test_it_holds_the_readable_pool_those_that_are_asked_for_first(tmp_path):
    pool = [f"{k}.png" for k in range(AT_ONCE + 4)]
    rows = (QueryRow("3.png", 0), QueryRow("held out.png", 1, slot="audit"))
    turns, pieces = looked(tmp_path, pool, Query(1, rows), broken="5.png")
    assert (len(turns), pieces) == (2, [AT_ONCE, 4])
    seen = read_overview(tmp_path)
    assert seen.ids[0] == "3.png"
    assert set(seen.ids) == set(pool) - {"5.png"}
    assert seen.predictions[seen.ids.index("7.png")] == "worn"
    assert np.allclose(seen.shares[seen.ids.index("8.png")], 0.8)


def test_there_is_none_without_a_model_that_has_learned(tmp_path):
    for model in (None, SimpleNamespace(fitted=False)):
        assert looked(tmp_path, ["1.png"], Query(0), model) == ([], [])
    assert read_overview(tmp_path) is None


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_a_projection_keeps_distances(seed):
    features = torch.randn(12, 700, generator=torch.Generator().manual_seed(seed))
    unit = torch.nn.functional.normalize(features, dim=1)
    ratio = torch.pdist(project(features, seed)) / torch.pdist(unit)
    assert ratio.min() > 0.75 and ratio.max() < 1.25
    assert torch.equal(project(features, seed), project(features, seed))


def test_short_features_are_kept_as_they_are():
    assert torch.allclose(project(torch.tensor([[3.0, 4.0]]), 0), torch.tensor([[0.6, 0.8]]))


def test_works_take_turns_until_all_are_done():
    done = []

    def work(name, count):
        for k in range(count):
            done.append(f"{name}{k}")
            yield

    assert len(list(alternately(work("a", 3), work("b", 1), work("c", 0)))) == 4
    assert done == ["a0", "b0", "a1", "a2"]
