from alvision.labels.agreement import Agreement, agreement
from alvision.labels.consensus import consensus
from tests.unit.labels.conftest import event


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
