"""What a round asks for beside the batch: the work of those who would wait."""

import uuid
from collections import Counter
from functools import partial

import pytest
import torch

from alvision.acquisition import top_k, variation_ratio
from alvision.core.records import Event
from alvision.core.seeding import derive
from alvision.inference.predictions import Predictions
from alvision.labels.store import LabelStore
from alvision.loop import propose
from alvision.loop.experiment import Budget, Strategy
from tests.support import fakes


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield store


@pytest.fixture
def make(tmp_path, store):
    codecs = fakes.CODECS | {"ranking.csv": fakes.CODECS["query.csv"]}
    return partial(
        fakes.experiment, tmp_path, store, audit_order=fakes.HELD_OUT, codecs=codecs, spare=8
    )


def test_the_rest_of_the_ranking_changes_nothing_of_the_batch(make):
    exp = make()
    rnd = exp.rounds[0]
    query = propose.propose(exp, rnd)
    alone = propose.propose(make(spare=0), exp.rounds[0])
    assert query.rows == alone.rows
    ranking = rnd.read("ranking.csv")
    assert [row.rank for row in ranking.rows] == list(range(len(ranking.rows)))
    assert not set(query.ids) & set(ranking.ids)
    slots = [row.slot for row in ranking.rows]
    assert slots.count("cold_start") == 4
    assert slots.count("audit") == 2
    assert slots[4] == "audit"


def test_what_the_batch_asks_of_the_audit_the_ranking_does_not(make):
    exp = make(budget=Budget(initial=4, batch=3, rounds=3, audit=2))
    query = propose.propose(exp, exp.rounds[0])
    audits = [row.id for row in exp.rounds[0].read("ranking.csv").rows if row.slot == "audit"]
    assert query.ids[-2:] == fakes.HELD_OUT[:2]
    assert tuple(audits) == fakes.HELD_OUT[2:]


def say(store, id, label, kind="label", by="ann"):
    event = Event(id, kind, label, by, 0, str(uuid.uuid4()))
    store.append([event], hash_of=fakes.HASHES.get)


def test_who_brings_enough_labels_is_asked_for_the_audit_alone(make, store):
    exp = make(budget=Budget(initial=4, batch=3, rounds=3, audit=2))
    for id in fakes.IDS[:5]:
        say(store, id, fakes.TRUTH[id], kind="import")
    query = propose.propose(exp, exp.rounds[0])
    assert query.ids == fakes.HELD_OUT[:2]
    assert {row.slot for row in query.rows} == {"audit"}


def test_equal_scores_do_not_favour_the_first_folder_and_a_round_repeats(make):
    alike = partial(top_k, score=variation_ratio)
    folders = tuple(f"{name}/{i:03d}.png" for name in ("a", "b", "c", "d") for i in range(50))

    class Even(fakes.FakeLearner):
        def infer(self, model, ids, **_):
            return Predictions(tuple(ids), scores=torch.zeros(len(ids)))

    def asked(seed):
        exp = make(
            candidates=folders,
            hashes={id: id for id in folders},
            cold_start=Strategy("top_k", alike, frozenset({"scores"})),
            learner=Even(),
            budget=Budget(initial=40, batch=3, rounds=3),
            spare=0,
            order=partial(derive, seed, "order"),
        )
        return propose.propose(exp, exp.rounds[0]).ids

    assert asked(0) == asked(0) != asked(1)
    for seed in range(3):
        count = Counter(id[0] for id in asked(seed))
        # Without replacement: four standard deviations of a folder's number.
        assert all(abs(count[name] - 10) < 4 * 2.5 for name in "abcd"), count
