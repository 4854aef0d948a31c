"""The cold start goes on until each class seen has its labels, or says why not."""

from dataclasses import replace

import pytest
import torch

from alvision.core.errors import UserError
from alvision.core.records import Answer, AwaitingLabels
from alvision.inference.predictions import Pick
from alvision.labels.store import LabelStore
from alvision.loop.cold_start import check_start, classes_short_of
from alvision.loop.experiment import Budget, Strategy
from alvision.loop.run import history, run
from alvision.oracles.simulated import SimulatedOracle
from tests.support.fakes import HASHES, HELD_OUT, IDS, TRUTH, FakeLearner, experiment


def in_order(pool, labelled, *, n, rng):
    rows = sorted(range(len(pool.ids)), key=pool.ids.__getitem__)[:n]
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n), slots=("mine",) * n)


BUDGET = Budget(initial=4, batch=3, rounds=4, per_class=2)


def make(root, store, worn, **changes):
    """Return a run that asks in the order of the ids, of which those in `worn` are worn."""
    truth = {id: "worn" if id in worn else "ok" for id in TRUTH}
    strategy = Strategy("in_order", in_order, frozenset())
    settings = {
        "budget": BUDGET,
        "cold_start": strategy,
        "acquisition": strategy,
        "truth": truth,
        "oracle": SimulatedOracle(truth, "run"),
    }
    return experiment(root, store, **(settings | changes))


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db") as opened:
        yield opened


def who(exp):
    """Return who chose in each round: c(old start), a strategy's own slot, or nobody."""
    slots = []
    for rnd in exp.rounds:
        if rnd.has("query.csv"):
            found = {row.slot for row in rnd.read("query.csv").rows} - {"audit"}
            slots.append("".join(sorted(slot[0] for slot in found)) or "-")
    return "".join(slots)


def notes(exp):
    return {row["round"]: row["cold_start"] for row in history(exp) if "cold_start" in row}


def test_it_goes_on_until_each_class_seen_has_its_labels(tmp_path, store):
    exp = make(tmp_path, store, {"02.png", "05.png", "11.png"})
    history = run(exp)
    assert who(exp) == "ccmmm"
    assert notes(exp) == {1: "the cold start goes on: worn has 1 of 2 labels"}
    # Its rounds are ordinary ones: they count as rounds and as labels.
    assert [row["answers"] for row in history] == [4, 7, 10, 13, 16]


def test_it_ends_where_a_class_is_too_rare_and_says_so(tmp_path, store):
    exp = make(tmp_path, store, {"02.png"})
    run(exp)
    assert who(exp) == "cccmm"
    assert list(notes(exp)) == [1, 2, 3]
    assert notes(exp)[3] == (
        "the cold start ended early: worn has 1 of 2 labels, and it has asked for 6 images beyond "
        "the first round, of 4 allowed"
    )


def test_a_class_that_turns_up_later_does_not_bring_it_back(tmp_path, store):
    exp = make(tmp_path, store, {"02.png", "03.png"}, classes=("ok", "worn", "bent"))
    bent = SimulatedOracle(exp.truth | {"05.png": "bent"}, "run")
    exp = replace(exp, oracle=bent)
    run(exp)
    assert who(exp) == "cmmmm" and notes(exp) == {}


def test_without_a_number_it_ends_with_the_first_model(tmp_path, store):
    exp = make(tmp_path, store, {"02.png"}, budget=replace(BUDGET, per_class=0))
    run(exp)
    assert who(exp) == "cmmmm" and notes(exp) == {}


def test_the_budget_ends_it_too(tmp_path, store):
    exp = make(tmp_path, store, {"02.png"}, budget=replace(BUDGET, rounds=1))
    run(exp)
    assert who(exp) == "cc"
    assert notes(exp) == {1: "the cold start goes on: worn has 1 of 2 labels"}


def test_rounds_that_looked_for_a_second_class_count(tmp_path, store):
    # One defect among many: no round is spent on four more by chance.
    exp = make(tmp_path, store, {"09.png"})
    run(exp)
    assert who(exp) == "cccmm"
    assert list(notes(exp)) == [3]


def test_enough_imported_labels_need_none(tmp_path, store):
    exp = make(tmp_path, store, {"18.png", "19.png"})
    words = [
        Answer(id, "label", exp.truth[id], "anna", 0, id) for id in (*IDS[:2], "18.png", "19.png")
    ]
    store.append(words, hash_of=HASHES.get)
    run(exp)
    assert who(exp) == "-mmmm"


def test_audit_rows_are_not_of_its_making(tmp_path, store):
    budget = replace(BUDGET, audit=3)
    exp = make(tmp_path, store, {"02.png"}, budget=budget, audit_order=HELD_OUT)
    run(replace(exp, truth=None))
    assert who(exp) == "cccmm"


def test_a_resumed_run_decides_alike(tmp_path, store):
    whole = make(tmp_path / "whole", store, {"02.png"})
    run(whole)
    with LabelStore(tmp_path / "other.db") as other:
        broken = make(tmp_path / "broken", other, {"02.png"})
        for stop in range(5):

            def wait(query, stop=stop):
                if query.round == stop:
                    raise AwaitingLabels("later")
                return broken.oracle(query)

            with pytest.raises(AwaitingLabels):
                run(replace(broken, oracle=wait))
        assert run(broken) == run(whole)
        assert who(broken) == who(whole)


def test_a_late_answer_counts_from_the_round_that_has_seen_it(tmp_path, store):
    late = Answer("19.png", "label", "worn", "anna", 0, "late")

    def answer_late():
        store.append([late], hash_of=HASHES.get)

    learner = FakeLearner(while_training=answer_late)
    exp = make(tmp_path, store, {"02.png", "19.png"}, learner=learner)
    run(exp)
    assert who(exp) == "ccmmm"


def test_what_lacks_labels_is_counted_by_class():
    labels = {"a": "ok", "b": "ok", "c": "worn", "d": "bent"}
    assert classes_short_of(labels, 2) == {"bent": 1, "worn": 1}
    assert classes_short_of({}, 2) == {} == classes_short_of(labels, 1)


def from_the_end(pool, labelled, *, n, rng):
    rows = sorted(range(len(pool.ids)), key=pool.ids.__getitem__)[::-1][:n]
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n))


COVERS = Strategy("covers", in_order, frozenset({"features"}))
CONTRAST = Strategy("contrast", from_the_end, frozenset({"features"}))


def asked(exp, number):
    return [row.id for row in exp.rounds[number].read("query.csv").rows]


def test_where_all_labels_are_of_one_class_what_is_least_like_them_is_asked_for(tmp_path, store):
    budget = replace(BUDGET, per_class=0)
    last = max(TRUTH.keys() - set(HELD_OUT))
    exp = make(tmp_path, store, {last}, budget=budget, cold_start=COVERS, contrast=CONTRAST)
    run(exp)
    assert last not in asked(exp, 0) and last in asked(exp, 1)
    assert notes(exp) == {1: "all labels are ok: the images least like them are asked for"}
    assert who(exp)[:2] == "cc" and set(who(exp)[2:]) == {"m"}


def test_a_start_with_two_classes_never_looks_for_contrast(tmp_path, store):
    budget = replace(BUDGET, per_class=0)
    exp = make(tmp_path, store, {"02.png"}, budget=budget, cold_start=COVERS, contrast=CONTRAST)
    run(exp)
    assert who(exp) == "cmmmm" and notes(exp) == {}


@pytest.mark.parametrize("needs", [frozenset(), frozenset({"features", "labels", "defects"})])
def test_random_stays_random_and_labels_lead_where_they_are_read(tmp_path, store, needs):
    budget = replace(BUDGET, per_class=0, rounds=1)
    start = Strategy("other", in_order, needs)
    exp = make(tmp_path, store, {"19.png"}, budget=budget, cold_start=start, contrast=CONTRAST)
    run(exp)
    assert notes(exp) == {}
    assert asked(exp, 1) == sorted(asked(exp, 1))


@pytest.mark.parametrize(
    ("needs", "known", "told"),
    [
        ({"features", "scores"}, 5, "reads scores of a model, and at the start there is none"),
        ({"log_probs", "passes"}, 0, "reads log_probs, passes of a model"),
        ({"features", "labels"}, 0, "learns from labels, and at the start there are none"),
    ],
)
def test_what_cannot_choose_the_first_labels_is_refused(needs, known, told):
    with pytest.raises(UserError, match=f"cold_start=mine {told}"):
        check_start(Strategy("mine", in_order, frozenset(needs)), known_defects=known)


def test_what_needs_no_model_may_choose_them():
    for needs, known in (({"features"}, 0), (set(), 0), ({"features", "labels", "defects"}, 5)):
        check_start(Strategy("mine", in_order, frozenset(needs)), known_defects=known)
