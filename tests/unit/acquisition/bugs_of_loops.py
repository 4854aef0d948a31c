"""Bugs that published systems have around their strategies: in the loop and in studies.

Of each stand here the test that it fails, our form and the faulty one; both have one signature.
"""

import csv
from unittest.mock import patch

import numpy as np
import torch

from alvision.core.records import Query, QueryRow
from alvision.inference.predictions import Pick
from alvision.labels.store import LabelStore
from alvision.loop.experiment import Budget, Strategy
from alvision.loop.run import propose, run, stop
from alvision.oracles.simulated import SimulatedOracle
from alvision.study.collect import collect
from tests.support.fakes import IDS, TRUTH, FakeLearner, experiment
from tests.unit.study.builder import write_run


def last_ids(pool, labelled, *, n, rng):
    rows = sorted(range(len(pool)), key=lambda row: pool.ids[row], reverse=True)[:n]
    return Pick(torch.tensor(rows), torch.zeros(n))


def the_chosen_images_are_labelled(propose, folder):
    """A part of the pool is looked at; what ranks highest there must be what is asked for."""
    strategy = Strategy("last_ids", last_ids, frozenset({"features"}))
    with LabelStore(folder / "labels.db") as store:
        learner = FakeLearner(broken=IDS[:8])
        budget = Budget(initial=3, batch=3, rounds=1)
        exp = experiment(folder, store, cold_start=strategy, learner=learner, budget=budget)
        asked = propose(exp, exp.rounds[0]).ids
    assert asked == ("19.png", "18.png", "17.png")


def ranks_in_a_part_as_rows_of_the_pool(exp, rnd):
    pool = exp.pool()
    part = exp.learner.infer(None, pool, needs={"features"}, round=rnd.number)
    rows = exp.cold_start.acquire(part, None, n=exp.budget.initial, rng=None).rows.tolist()
    return Query(rnd.number, tuple(QueryRow(pool[row], rank) for rank, row in enumerate(rows)))


def the_first_labels_follow_no_truth(propose, folder):
    """The cold start must ask for the same images whatever their classes are."""
    asked = []
    for name, truth in (("a", TRUTH), ("b", {id: "ok" if id < "10" else "worn" for id in TRUTH})):
        with LabelStore(folder / f"{name}.db") as store:
            oracle = SimulatedOracle(truth, name)
            exp = experiment(folder / name, store, truth=truth, oracle=oracle)
            asked.append(propose(exp, exp.rounds[0]).ids)
    assert asked[0] == asked[1]


def a_seed_set_with_as_many_of_each_class(exp, rnd):
    ids = []
    for name in exp.classes:
        ids += [id for id in exp.candidates if exp.truth[id] == name][: exp.budget.initial // 2]
    return Query(rnd.number, tuple(QueryRow(id, rank) for rank, id in enumerate(ids)))


def a_run_does_not_end_while_models_agree_at_chance(stop, folder):
    """Models that agree with each other have not learned anything for that."""
    with LabelStore(folder / "labels.db") as store, patch("alvision.loop.run.stop", stop):
        history = run(experiment(folder, store, budget=Budget(initial=4, batch=2, rounds=6)))
    assert len(history) == 7


def constant_agreement_is_enough(exp, rnd):
    agreements = [0.5 for before in exp.rounds[: rnd.number] if before.done]
    return len(agreements) > 3 and np.ptp(agreements[-3:]) < 0.01


def runs_are_paired_by_seed(pair, folder):
    """A seed's split is hard or easy for both; where one strategy lacks a seed, nothing moves."""
    for seed in range(12):
        for name in ("random_sampling", "margin"):
            if (name, seed) != ("margin", 1):
                write_run(folder, name, seed, [seed / 20, seed / 15])
        write_run(folder, "full", seed, [1.0])
    differences = pair(folder)
    assert len(differences) == 11 and np.allclose(differences, 0)


def paired_by_seed(folder):
    seeds = [seed for seed in range(12) if seed != 1]
    values = collect(folder, ["random_sampling", "margin"], seeds).values
    return (values["margin"] - values["random_sampling"])[:, -1]


def paired_by_file_order(folder):
    columns = []
    for name in ("random_sampling", "margin"):
        files = sorted((folder / name).glob("seed-*/metrics.csv"))
        last = [list(csv.DictReader(f.read_text().splitlines()))[-1] for f in files]
        columns.append([float(row["macro_f1"]) for row in last])
    return [b - a for a, b in zip(*columns, strict=False)]


BUGS = [
    (5, "Baal: ranks in a random part of the pool are used as its indices",
     propose, ranks_in_a_part_as_rows_of_the_pool, the_chosen_images_are_labelled),
    (17, "the first labels are balanced by the truth",
     propose, a_seed_set_with_as_many_of_each_class, the_first_labels_follow_no_truth),
    (18, "runs are paired by the order of their files",
     paired_by_seed, paired_by_file_order, runs_are_paired_by_seed),
    (19, "small-text: agreement that does not change ends a run, also at chance",
     stop, constant_agreement_is_enough,
     a_run_does_not_end_while_models_agree_at_chance),
]  # fmt: skip
"""Number in the list of known bugs, what it is, our form, the faulty form, the test."""
