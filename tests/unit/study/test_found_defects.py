import csv

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvision.study.found_defects import asked, hits_in, read_found


def write_round(run, number, query, answers):
    """Write a round's query, ids in rank order, and its answers, pairs in the order they came."""
    folder = run / "rounds" / f"{number:03d}"
    folder.mkdir(parents=True)
    with (folder / "query.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "rank"), *((id, k) for k, id in enumerate(query))])
    with (folder / "answers.csv").open("w", newline="") as file:
        rows = [(id, "label" if label else "skip", label) for id, label in answers]
        csv.writer(file).writerows([("id", "kind", "label"), *rows])
    return run


def test_ranks_count_and_not_the_order_of_the_answers(tmp_path):
    run = write_round(tmp_path, 0, ["b", "a"], [("a", "ok"), ("known", "dent"), ("b", "dent")])
    write_round(run, 1, ["d", "c"], [("c", "dent"), ("d", "")])
    assert asked(run) == ["b", "a", "c"]


def test_the_whole_pool_says_how_many_defects_there_are_and_known_ones_do_not_count(tmp_path):
    truth = {"a": "ok", "b": "dent", "c": "dent", "d": "ok", "known": "dent"}
    full = write_round(tmp_path / "full", 0, list(truth), list(truth.items()))
    own = [("known", "dent"), ("a", "ok"), ("c", "dent")]
    run = write_round(tmp_path / "run", 0, ["a", "c"], own)
    found = read_found({"margin": [run]}, [full], ["dent"])
    assert found.totals.tolist() == [2]
    assert found.hits["margin"][0].tolist() == [2]
    assert found.labels["margin"].tolist() == [2]


def test_without_defects_or_a_fit_on_the_whole_pool_nothing_is_known(tmp_path):
    run = write_round(tmp_path / "run", 0, ["a"], [("a", "ok")])
    assert read_found({"margin": [run]}, [run], []) is None
    assert read_found({"margin": [run]}, [], ["dent"]) is None
    assert read_found({"margin": [tmp_path / "empty"]}, [run], ["dent"]) is None


@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_each_defect_is_found_once_where_it_is_labelled_first(order, pool):
    hits = hits_in(order, pool)
    assert len(hits) == len(pool & set(order))
    assert {order[hit - 1] for hit in hits} == pool & set(order)
    assert np.all(np.diff(hits) > 0)
