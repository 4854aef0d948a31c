"""Counters agree with each other and with the log, whatever happens in it."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.labels.consensus import consensus, settlements, standing
from alvision.labels.content import resolver
from alvision.labels.ledger import Ledger
from alvision.page.counters import Counters
from tests.unit.labels.conftest import event, undo

HASHES = {"a": "1", "b": "1", "c": "2", "d": "3"}  # b is an exact copy of a
HELD_OUT = frozenset("c")
resolve = resolver(HASHES, HASHES, pool="abd")


@st.composite
def logs(draw):
    """Draw answers, second thoughts, copies, unsure, skips, imports, settlements and undos."""
    log = []
    count = draw(st.integers(1, 16))
    for number in range(1, count + 1):
        kind = draw(
            st.sampled_from(
                ["label", "label", "unsure", "skip", "undo", "undo", "import", "settle"]
            )
        )
        by, label = draw(st.sampled_from(["ann", "bo"])), draw(st.sampled_from(["ok", "worn"]))
        id = draw(st.sampled_from([*HASHES, "gone"]))
        if kind == "undo":
            said = undo(str(number), str(draw(st.integers(1, count))), by)
        else:
            said = event(str(number), id, kind, label, by, sha256=HASHES.get(id, "0"))
        log.append(replace(said, number=number))
    return log


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_counters_are_those_of_the_whole_log_and_agree(log, random):
    ledger = Ledger(None, resolve, ["ok", "worn"])
    counters = Counters(ledger, resolve, {}, HELD_OUT)
    at = 0
    while at < len(log):
        step = log[at : at + random.randint(1, 4)]
        at += len(step)
        ledger.take(step)
        counters.take(step)
        so_far = log[:at]
        answers, labels = standing(so_far, resolve), consensus(so_far, resolve)
        people = [said.by for said in sum(answers.values(), ()) if said.kind != "import"]
        assert counters.answered == len({*answers, *settlements(so_far, resolve)})
        assert counters.labels == len(labels)
        assert counters.held_out == len(labels.keys() & HELD_OUT)
        assert counters.answers == len(people) == sum(counters.mine.values())
        for by in ("ann", "bo"):
            assert counters.mine[by] == people.count(by) <= counters.answered
        assert counters.held_out <= counters.labels <= counters.answered <= 3
