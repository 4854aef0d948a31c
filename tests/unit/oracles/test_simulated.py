import pytest

from alvision.core.errors import UserError
from alvision.core.records import Answer, Query, QueryRow, answer_uuid
from alvision.oracles.simulated import SimulatedOracle, known_beforehand

QUERY = Query(2, (QueryRow("b.png", 0), QueryRow("a.png", 1, slot="audit")))


def test_the_truth_is_told_in_rank_order():
    oracle = SimulatedOracle({"a.png": "ok", "b.png": "worn", "c.png": "ok"}, "run")
    uuids = [
        answer_uuid("run", 2, id, "simulated", "label", label)
        for id, label in (("b.png", "worn"), ("a.png", "ok"))
    ]
    assert oracle(QUERY) == [
        Answer("b.png", "label", "worn", "simulated", 2, uuids[0]),
        Answer("a.png", "label", "ok", "simulated", 2, uuids[1]),
    ]
    assert oracle(QUERY) == oracle(QUERY)


def test_runs_and_rounds_have_answers_of_their_own():
    truth = {"a.png": "ok", "b.png": "ok"}
    others = [
        SimulatedOracle(truth, "run")(QUERY),
        SimulatedOracle(truth, "other")(QUERY),
        SimulatedOracle(truth, "run")(Query(3, QUERY.rows)),
    ]
    assert len({answer.uuid for answers in others for answer in answers}) == 6


def test_what_is_asked_again_is_answered_by_another_person():
    given = {2: {"b.png": 2}}
    oracle = SimulatedOracle(
        {"a.png": "ok", "b.png": "worn"},
        "run",
        again=lambda id, nth: f"{nth} of {id}",
        given=lambda round: given[round],
    )
    assert [(answer.by, answer.label) for answer in oracle(QUERY)] == [
        ("simulated-3", "3 of b.png"),
        ("simulated", "ok"),
    ]
    assert oracle(QUERY) == oracle(QUERY), "resuming gives the same"


def test_an_answer_takes_the_time_of_what_is_answered():
    truth = {"a.png": "ok", "b.png": "worn"}
    assert [a.seconds for a in SimulatedOracle(truth, "run")(QUERY)] == [None, None]
    answers = SimulatedOracle(truth, "run", seconds={"ok": 2.0, "worn": 8.0})(QUERY)
    assert [a.seconds for a in answers] == [8.0, 2.0]


def test_what_is_known_beforehand_is_an_import_that_nobody_was_asked_for():
    (event,) = known_beforehand(["b.png"], {"a.png": "ok", "b.png": "worn"}, "run")
    assert (event.kind, event.id, event.label, event.seconds) == ("import", "b.png", "worn", None)
    assert known_beforehand(["b.png"], {"b.png": "worn"}, "run") == [event], "the same uuid again"


def test_nothing_asked_nothing_said():
    assert SimulatedOracle({}, "run")(Query(0)) == []


def test_an_image_without_a_known_class_is_told():
    with pytest.raises(UserError, match=r"no class for 1 of 2 images \(first: a.png\)"):
        SimulatedOracle({"b.png": "ok"}, "run")(QUERY)
