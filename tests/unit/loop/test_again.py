"""Images that are asked again: what is settled, and what is in doubt."""

import uuid
from functools import partial

import numpy as np
import pytest

from alvision.core.records import Event
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.consensus import Settled
from alvision.labels.store import LabelStore
from alvision.loop.again import repeats, sure
from alvision.loop.experiment import Budget
from alvision.loop.propose import propose
from alvision.loop.run import run
from alvision.oracles.simulated import SimulatedOracle
from tests.support import fakes

DOUBTED = fakes.IDS[3]


class Doubting(fakes.FakeLearner):
    """Out of sample the model is sure of the truth, but for one image."""

    def cross_predict(self, labels, *, round):
        ids = tuple(sorted(labels))
        column = {"ok": 0, "worn": 1}
        values = np.full((len(ids), 2), 0.1, np.float32)
        for row, id in enumerate(ids):
            values[row, column[fakes.TRUTH[id]] ^ (id == DOUBTED)] = 0.9
        return ClassProbabilities(ids, ("ok", "worn"), values)


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield store


@pytest.fixture
def make(tmp_path, store, monkeypatch):
    monkeypatch.setattr("alvision.loop.again.DOUBTED_FROM", 10)
    return partial(fakes.experiment, tmp_path, store, learner=Doubting())


@pytest.fixture
def say(store):
    def call(id, label, kind="label", by="ann", round=0):
        event = Event(id, kind, label, by, round, str(uuid.uuid4()))
        store.append([event], hash_of=fakes.HASHES.get)

    return call


def asked(exp, round=1, gold=9, doubted=1):
    both = repeats(exp, exp.rounds[round], exp.training(None), gold=gold, doubted=doubted)
    return [[row.id for row in rows] for rows in both]


def test_what_somebody_settled_or_people_agree_on_is_gold(make, say):
    for id in fakes.IDS[:4]:
        say(id, "ok")
    say(fakes.IDS[1], "worn", kind="settle", by="eve")
    say(fakes.IDS[2], "ok", by="bert")
    say(fakes.IDS[3], "worn", by="bert")
    gold, doubted = asked(make())
    assert set(gold) == {fakes.IDS[1], fakes.IDS[2]} and not doubted
    with_people = make(truth=None, audit_order=fakes.HELD_OUT)
    assert asked(with_people)[0] == [fakes.IDS[1]], "one of two who errs now would make it a tie"
    say(fakes.IDS[2], "ok", by="cleo")
    assert set(asked(with_people)[0]) == {fakes.IDS[1], fakes.IDS[2]}
    assert not sure(Settled("ok", {"a": "ok", "b": "ok", "c": "worn"}, False), 2)


def test_gold_rows_say_nothing_of_the_model(make, say):
    say(fakes.IDS[1], "worn", kind="settle", by="eve")
    exp = make()
    ((row,), _) = repeats(exp, exp.rounds[1], exp.training(None), gold=1, doubted=0)
    assert (row.slot, row.prediction, row.reason, row.score) == ("gold", None, "", None)


def label_all(say, wrong=()):
    for id in fakes.IDS:
        truth = fakes.TRUTH[id]
        say(id, {"ok": "worn", "worn": "ok"}[truth] if id in wrong else truth)


def test_the_label_that_the_model_doubts_is_asked_until_two_agree(make, say):
    label_all(say)
    exp = make()
    assert asked(exp) == [[], [DOUBTED]]
    say(DOUBTED, "ok" if fakes.TRUTH[DOUBTED] == "worn" else "worn", by="bert")
    assert asked(exp, round=2) == [[], [DOUBTED]], "they disagree: a third one"
    say(DOUBTED, fakes.TRUTH[DOUBTED], by="cleo")
    assert DOUBTED not in asked(exp, round=3)[1]


def test_two_answers_alike_or_of_one_person_are_enough(make, say):
    label_all(say)
    exp = make()
    say(DOUBTED, fakes.TRUTH[DOUBTED], by="bert")
    assert DOUBTED not in asked(exp, round=2)[1]
    other = asked(exp, round=2)[1][0]
    say(other, "ok" if fakes.TRUTH[other] == "worn" else "worn")
    assert other not in asked(exp, round=2)[1]


def test_an_answer_that_was_taken_back_does_not_count(make, say, store):
    label_all(say)
    say(DOUBTED, fakes.TRUTH[DOUBTED], by="bert")
    event = store.events()[-1]
    back = Event(DOUBTED, "undo", None, "bert", 0, str(uuid.uuid4()), target=event.uuid)
    store.append([back], hash_of=fakes.HASHES.get)
    assert asked(make()) == [[], [DOUBTED]]


def test_few_labels_or_one_class_leave_nothing_to_doubt(make, say):
    for id in fakes.IDS[:9]:
        say(id, fakes.TRUTH[id])
    assert asked(make()) == [[], []]
    for id in fakes.IDS[9:]:
        say(id, "ok")
    for id in fakes.IDS[:9]:
        say(id, "ok")
    assert asked(make())[1] == []


def test_a_share_of_each_batch_repairs_and_every_answer_is_paid_for(make, store):
    """Four first labels, then batches of four, of which a quarter asks again."""
    given = lambda round: {  # noqa: E731
        id: sum(e.id == id and e.round < round for e in store.events()) for id in fakes.IDS
    }
    exp = make(
        budget=Budget(initial=12, batch=4, rounds=2),
        repair=0.25,
        oracle=SimulatedOracle(fakes.TRUTH, "run", given=given),
    )
    metrics = run(exp)
    for rnd in exp.rounds[1:]:
        rows = rnd.read("query.csv").rows
        assert [row.slot for row in rows].count("relabel") == 1
        assert [row.rank for row in rows] == list(range(4))
    assert [row["answers"] for row in metrics] == [12, 16, 20]
    assert [row["labels"] for row in metrics] == [12, 15, 18]
    assert {e.by for e in store.events()} == {"simulated", "simulated-2"}


def test_the_first_round_asks_nothing_again_and_neither_does_a_run_without_shares(make, say):
    say(fakes.IDS[1], "worn", kind="settle", by="eve")
    for exp, round in ((make(gold=0.5), 0), (make(), 1)):
        query = propose(exp, exp.rounds[round]) if round == 0 else None
        rows = query.rows if query else repeats(exp, exp.rounds[1], {}, gold=0, doubted=0)[0]
        assert "gold" not in [row.slot for row in rows]


def test_gold_is_woven_into_a_batch_of_the_same_size(make, say):
    say(fakes.IDS[1], "worn", kind="settle", by="eve")
    exp = make(gold=0.34, budget=Budget(initial=4, batch=3, rounds=1))
    run(exp)
    slots = [row.slot for row in exp.rounds[1].read("query.csv").rows]
    assert slots == ["cold_start", "cold_start", "gold"] or slots.count("gold") == 1
    assert len(slots) == 3
