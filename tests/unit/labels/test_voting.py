import pytest

from alvision.labels.consensus import consensus, standing
from alvision.labels.voting import Agreement, agreement, disputed, row_done, votes_missing
from tests.unit.labels.conftest import event

PEOPLE = ("anna", "bert", "cleo", "dora", "emil")


def said(*words):
    """Return what stands on a.png, and its class, after one word of each person."""
    log = [
        event(by, kind=word if word in ("skip", "unsure") else "label", label=word, by=by)
        for by, word in zip(PEOPLE, words, strict=False)
    ]
    return standing(log).get("a.png", ()), consensus(log).get("a.png")


@pytest.mark.parametrize(
    ("words", "votes", "prediction", "left"),
    [
        ([], 1, None, 1),
        ([], 3, "ok", 3),
        (["ok"], 1, "worn", 0),
        (["unsure"], 1, None, 0),
        (["skip"], 1, None, 1),
        (["ok"], 2, "worn", 1),
        (["ok", "ok"], 2, "ok", 0),
        (["ok", "ok"], 2, None, 0),
        (["ok", "ok"], 2, "worn", 1),
        (["ok", "ok", "ok"], 2, "worn", 0),
        (["ok", "worn"], 2, None, 1),
        (["ok", "worn", "ok"], 2, None, 0),
        (["ok", "worn", "bent"], 2, None, 1),
        (["ok", "worn", "bent", "skip", "unsure"], 2, None, 0),
        (["unsure", "unsure"], 2, "ok", 0),
    ],
)
def test_more_answers_where_people_and_model_disagree(words, votes, prediction, left):
    assert votes_missing(*said(*words), votes=votes, prediction=prediction) == left


def test_it_never_asks_for_more_than_two_above_the_votes():
    kinds = ["ok", "worn", "bent", "dent", "burr"]
    for count in range(6):
        assert count + votes_missing(*said(*kinds[:count]), votes=3, prediction="x") <= 5


def test_a_settled_dispute_needs_nobody():
    log = [event("1", label="ok"), event("2", kind="settle", label="worn", by="dora")]
    words, settled = standing(log)["a.png"], consensus(log)["a.png"]
    assert votes_missing(words, settled, votes=3) == 0
    assert row_done(words, settled, votes=3, present=["anna", "bert"])
    assert not disputed(words, settled)


@pytest.mark.parametrize(
    ("words", "votes", "present", "done"),
    [
        (["ok"], 1, [], True),
        (["ok"], 2, [], False),
        (["ok"], 2, ["anna"], True),
        (["ok"], 2, ["anna", "bert"], False),
        (["ok", "skip"], 2, ["anna", "bert"], True),
        (["skip"], 1, ["anna"], True),
        (["skip"], 1, [], False),
        ([], 1, ["anna"], False),
        (["ok", "ok"], 2, ["cleo"], True),
    ],
)
def test_a_row_is_done(words, votes, present, done):
    assert row_done(*said(*words), votes=votes, present=present) is done


def test_an_import_is_nobody_speaking():
    log = [event("1", kind="import", by="anna")]
    words = standing(log)["a.png"]
    assert not row_done(words, consensus(log)["a.png"], votes=1, present=["anna"])


def test_everybody_is_compared_with_the_consensus():
    said = {
        "a.png": {"anna": "ok", "bert": "ok", "cleo": "worn"},
        "b.png": {"anna": "worn", "bert": "worn"},
        "tie.png": {"anna": "ok", "bert": "worn"},
        "alone.png": {"anna": "ok"},
    }
    log = [
        event(f"{id} {by}", id, label=label, by=by)
        for id, votes in said.items()
        for by, label in votes.items()
    ]
    log += [event("1", "unsure.png", "unsure"), event("2", "unsure.png", by="bert")]
    assert agreement(consensus(log)) == {
        "anna": Agreement(2, 2, {("ok", "ok"): 1, ("worn", "worn"): 1}),
        "bert": Agreement(2, 2, {("ok", "ok"): 1, ("worn", "worn"): 1}),
        "cleo": Agreement(1, 0, {("ok", "worn"): 1}),
    }
    settled = [event("3", id, "settle", "worn", "dora") for id in ("tie.png", "alone.png")]
    judged = agreement(consensus([*log, *settled]))
    assert judged["anna"] == Agreement(
        4, 2, {("ok", "ok"): 1, ("worn", "worn"): 1, ("worn", "ok"): 2}
    )
    assert judged["bert"].agreed == judged["bert"].images == 3
    assert "dora" not in judged
