"""The loop with fakes: no network, no files of data, milliseconds."""

from dataclasses import replace

import pytest

from alvision.acquisition import random_sampling
from alvision.core.errors import UserError
from alvision.core.records import Answer, AwaitingLabels
from alvision.labels.store import LabelStore
from alvision.loop.build import write_tables
from alvision.loop.experiment import Budget, Strategy
from alvision.loop.run import differs_from_budget, run
from alvision.oracles.simulated import SimulatedOracle
from alvision.run_folder.round_files import read_csv
from tests.support.fakes import CODECS, HASHES, HELD_OUT, IDS, TRUTH, FakeLearner, experiment


@pytest.fixture
def exp(tmp_path):
    with LabelStore(tmp_path / "labels.db") as store:
        yield experiment(tmp_path, store)


def asked(exp):
    return [rnd.read("query.csv").ids for rnd in exp.rounds if rnd.has("query.csv")]


def say(id, label="ok", by="anna", kind="label"):
    return Answer(id, kind, label, by, 0, f"{by} {id} {kind} {label}")


def test_a_run_asks_trains_and_judges_round_by_round(exp):
    history = run(exp)
    assert [row["labels"] for row in history] == [4, 7, 10, 13]
    assert [row["answers"] for row in history] == [4, 7, 10, 13]
    ids = [id for batch in asked(exp) for id in batch]
    assert len(set(ids)) == 13
    assert set(ids) <= set(IDS)


def test_running_again_changes_no_file(exp):
    run(exp)
    files = {p: p.read_bytes() for p in exp.root.rglob("*") if p.is_file()}
    assert run(exp) == run(exp)
    assert files == {p: p.read_bytes() for p in exp.root.rglob("*") if p.is_file()}


def test_more_rounds_go_on_and_the_pool_ends_it(exp):
    run(exp)
    history = run(replace(exp, budget=Budget(initial=4, batch=3, rounds=50)))
    assert [row["labels"] for row in history] == [4, 7, 10, 13, 16, 19, 20]


def test_a_run_that_is_advised_to_stop_ends_there_also_when_it_is_resumed(exp):
    advised = replace(exp, stop_when=lambda history: history[-1]["labels"] >= 7)
    assert [row["labels"] for row in run(advised)] == [4, 7]
    assert [row["labels"] for row in run(advised)] == [4, 7]
    assert differs_from_budget(advised).startswith("stopped after round 1 of 3: the signs say")
    assert [row["labels"] for row in run(exp)] == [4, 7, 10, 13]


def test_fewer_rounds_than_were_run_keep_all_of_them_and_say_so(exp):
    whole = run(exp)
    assert differs_from_budget(exp) is None
    fewer = replace(exp, budget=Budget(initial=4, batch=3, rounds=1))
    assert run(fewer) == whole
    assert differs_from_budget(fewer) == (
        "budget.rounds=1 is fewer than the 3 rounds that this run has already; all of them are kept"
    )


def test_a_pool_that_runs_out_says_which_rounds_were_run(exp):
    more = replace(exp, budget=Budget(initial=4, batch=3, rounds=50))
    run(more)
    assert str(differs_from_budget(more)).startswith("the pool is empty after round 6 of 50: ")


def test_the_tables_hold_every_finished_round(exp, tmp_path):
    run(exp)
    fewer = replace(exp, budget=Budget(initial=4, batch=3, rounds=1))
    run(replace(fewer, publish=lambda rnd: write_tables(tmp_path, CODECS, {})))
    assert [row["round"] for row in read_csv(tmp_path / "metrics.csv")] == ["0", "1", "2", "3"]


def test_the_whole_pool_at_once(exp):
    history = run(replace(exp, budget=Budget(initial=None, batch=1, rounds=0)))
    assert [row["labels"] for row in history] == [20]


def test_an_image_answered_while_the_model_trains_is_seen_next_round_and_not_asked(exp):
    extra = []

    def answer_one_more():
        if not extra:
            free = next(id for id in IDS if id not in asked(exp)[0])
            extra.append(free)
            exp.labels.append([say(free)], hash_of=HASHES.get)

    exp = replace(exp, learner=FakeLearner(while_training=answer_one_more))
    history = run(exp)
    assert [row["labels"] for row in history] == [4, 8, 11, 14]
    assert extra[0] in {event.id for event in exp.rounds[1].read("answers.csv").events}
    assert extra[0] not in {id for batch in asked(exp) for id in batch}


def test_a_row_nobody_answered_returns_to_the_pool(exp):
    class Lazy(SimulatedOracle):
        def __call__(self, query):
            return super().__call__(query)[1:]

    exp = replace(exp, oracle=Lazy(TRUTH, "run"), budget=Budget(initial=4, batch=8, rounds=9))
    history = run(exp)
    left = asked(exp)[0][0]
    assert history[0]["labels"] == 3
    assert any(left in batch for batch in asked(exp)[1:])


def test_two_voters_count_once_and_a_tie_goes_to_the_class_said_last(exp):
    class Two(SimulatedOracle):
        def __call__(self, query):
            return [
                say(id, label, by)
                for id in query.ids
                for by, label in (("anna", TRUTH[id]), ("ben", "worn"))
            ]

    exp = replace(exp, oracle=Two(TRUTH, "run"))
    history = run(exp)
    assert history[0]["labels"] == 4
    assert history[0]["answers"] == 8
    assert set(exp.training(exp.rounds[0].pin).values()) == {"worn"}


def test_skip_and_unsure_leave_the_pool_and_are_not_trained_on(exp):
    class Shy(SimulatedOracle):
        def __call__(self, query):
            kinds = ("skip", "unsure", "label", "label")
            return [
                say(id, TRUTH[id] if kind == "label" else None, kind=kind)
                for id, kind in zip(query.ids, kinds, strict=False)
            ]

    exp = replace(exp, oracle=Shy(TRUTH, "run"), budget=Budget(initial=4, batch=4, rounds=4))
    history = run(exp)
    assert [row["labels"] for row in history] == [2, 4, 6, 8, 10]
    assert len({id for batch in asked(exp) for id in batch}) == 20


def test_an_inserted_class_changes_no_label(exp):
    run(replace(exp, budget=Budget(initial=4, batch=3, rounds=1)))
    before = exp.training(None)
    wider = replace(exp, classes=("ok", "new", "worn"))
    assert wider.training(None) == before
    assert [row["labels"] for row in run(wider)] == [4, 7, 10, 13]


def test_a_moved_file_keeps_its_label_and_is_not_asked_again(exp):
    run(replace(exp, budget=Budget(initial=4, batch=3, rounds=0)))
    old = asked(exp)[0][0]
    new = "moved/elsewhere.png"
    moved = replace(
        exp,
        candidates=tuple(sorted(new if id == old else id for id in IDS)),
        hashes={**{k: v for k, v in HASHES.items() if k != old}, new: HASHES[old]},
        oracle=SimulatedOracle(TRUTH | {new: TRUTH[old]}, "run"),
    )
    assert moved.training(None)[new] == TRUTH[old]
    run(moved)
    assert new not in {id for batch in asked(moved) for id in batch}


def test_of_exact_duplicates_one_is_asked(exp):
    twins = replace(exp, hashes=HASHES | {"01.png": HASHES["00.png"], "02.png": HASHES["00.png"]})
    run(replace(twins, budget=Budget(initial=None, batch=1, rounds=0)))
    assert len({"00.png", "01.png", "02.png"} & set(asked(twins)[0])) == 1


def test_of_exact_duplicates_in_the_audit_one_is_asked(exp):
    exp = replace(
        exp,
        audit_order=HELD_OUT,
        hashes=HASHES | {"x2.png": HASHES["x0.png"]},
        budget=Budget(initial=4, batch=3, rounds=3, audit=1),
        truth=None,
    )
    run(exp)
    rows = [row.id for rnd in exp.rounds for row in rnd.read("query.csv").rows]
    assert [id for id in rows if id in HELD_OUT] == ["x0.png", "x1.png", "x3.png"]


def test_a_kill_between_the_metrics_and_what_is_published_loses_nothing(exp):
    run(exp)
    published = []
    run(replace(exp, publish=lambda rnd: published.append(rnd.number)))
    assert published == [3]


def test_a_line_break_in_a_name_survives_the_files_of_a_round(exp):
    odd = "Icon\r.png"
    exp = replace(
        exp,
        candidates=(*IDS, odd),
        hashes=HASHES | {odd: "odd"},
        oracle=SimulatedOracle(TRUTH | {odd: "ok"}, "run"),
        budget=Budget(initial=None, batch=1, rounds=0),
    )
    assert run(exp)[0]["labels"] == 21
    assert odd in asked(exp)[0]


def test_fewer_than_two_classes_is_a_round_and_starts_cold_again(exp):
    exp = replace(
        exp, oracle=SimulatedOracle(dict.fromkeys(TRUTH, "ok"), "run"), truth=dict.fromkeys(TRUTH)
    )
    run(exp)
    slots = {row.slot for rnd in exp.rounds for row in rnd.read("query.csv").rows}
    assert slots == {"cold_start"}


def test_an_unreadable_image_is_replaced_and_set_aside(exp):
    learner = FakeLearner(broken=IDS[:10])
    features = Strategy("random_sampling", random_sampling, frozenset({"features"}))
    run(replace(exp, learner=learner, cold_start=features))
    ids = {id for batch in asked(exp) for id in batch}
    assert not ids & set(IDS[:10])
    assert len(ids) == 10


def test_no_readable_image_is_an_error(exp):
    features = Strategy("random_sampling", random_sampling, frozenset({"features"}))
    exp = replace(exp, learner=FakeLearner(broken=IDS), cold_start=features)
    with pytest.raises(UserError, match="unreadable"):
        run(exp)


def test_enough_imported_labels_ask_nothing_in_round_0(exp):
    exp.labels.append([say(id, TRUTH[id]) for id in IDS[:6]], hash_of=HASHES.get)
    history = run(exp)
    assert asked(exp)[0] == ()
    assert history[0]["labels"] == 6
    assert len(asked(exp)[1]) == 3


def test_audit_rows_come_on_top_blind_and_are_never_trained_on(exp):
    exp = replace(
        exp,
        audit_order=HELD_OUT,
        budget=Budget(initial=4, batch=3, rounds=3, audit=2),
        truth=None,
    )
    history = run(exp)
    rows = [row for rnd in exp.rounds for row in rnd.read("query.csv").rows if row.slot == "audit"]
    assert [row.id for row in rows] == list(HELD_OUT)
    assert all(row.prediction is None and row.score is None for row in rows)
    assert [row["known"] for row in history] == [2, 4, 4, 4]
    assert not set(exp.training(None)) & set(HELD_OUT)


def test_waiting_for_people_loses_nothing(exp):
    def wait(query):
        raise AwaitingLabels("fill in the table")

    with pytest.raises(AwaitingLabels):
        run(replace(exp, oracle=wait))
    first = asked(exp)
    assert run(exp)[0]["labels"] == 4
    assert asked(exp)[:1] == first


def test_strategies_start_from_the_same_labels(exp, tmp_path):
    run(exp)
    with LabelStore(tmp_path / "other.db") as store:
        other = replace(
            exp,
            root=tmp_path / "other",
            labels=store,
            acquisition=Strategy("other", random_sampling, frozenset({"scores"})),
        )
        run(other)
        assert asked(other)[0] == asked(exp)[0]


def test_exact_copies_are_trained_on_once_with_one_class(exp):
    copies = HASHES | {IDS[3]: HASHES[IDS[1]]}
    exp = replace(exp, hashes=copies, truth=None)
    words = [say(IDS[1], "worn"), say(IDS[3], "ok", by="bert"), say(IDS[5])]
    exp.labels.append(words, hash_of=copies.get)
    assert exp.training(None) == {IDS[1]: "ok", IDS[5]: "ok"}
    assert not {IDS[1], IDS[3]} & set(exp.pool())
