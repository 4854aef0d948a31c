"""Measure whether a label in parts teaches more: unsure answers, and those of several people.

    python scripts/measure_soft_labels.py unsure --labels 100 200
    python scripts/measure_soft_labels.py people --labels 100

Heads on the features of experiment=elpv, random labels, macro-F1 on held-out cells with their true
classes; differences are paired by seed, with intervals of 95 %. `unsure`: people are unsure where
its experts graded a cell 1/3 or 2/3. `people`: three who err in 5, 20 and 40 of 100 answers; two
of them answer each cell, and the third one where they differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
from heads_on_features import Trial, macro_f1, row, standardised, trials
from measure_repair import fit_parts, logits
from torch import Tensor
from torch.nn import functional

from alvision.config.compose import configuration
from alvision.dataset.dataset import DataSet
from alvision.labels.dawid_skene import dawid_skene
from alvision.training.losses import DOUBT

WORDS = ["experiment=elpv"]
ERRS = {"anna": 0.05, "bert": 0.2, "cleo": 0.4}

Ways = Iterator[tuple[str, Tensor]]
"""Names and targets [n,C]; an image whose targets are 0 is not learned."""


def unsure(n: int) -> Callable[[Trial], Ways]:
    """Return what gives a seed's targets where people are unsure of the cells in doubt."""
    data = DataSet.open(configuration([*WORDS, "acquisition=margin"]))
    names = sorted({name for name in data.manifest.truth if name})
    shares = dict(zip(data.manifest.ids, data.manifest.answer_shares, strict=True))

    def ways(trial: Trial) -> Ways:
        true = functional.one_hot(trial.pool_targets[:n], len(names)).float()
        grades = [shares[id] or {} for id in trial.ids[:n]]
        graded = torch.tensor([[grade.get(name, 0.0) for name in names] for grade in grades])
        doubt = ((graded > 0.1) & (graded < 0.9)).any(1, keepdim=True)
        yield "unsure answers left out", true * ~doubt
        yield "as a half of each class", torch.where(doubt, 1 / len(names), true)
        yield "as the experts graded", torch.where(doubt, graded, true)
        yield "true classes instead", true

    return ways


def people(n: int) -> Callable[[Trial], Ways]:
    """Return what gives a seed's targets where two or three people answer each cell."""
    names = ("0", "1")

    def said(rng: np.random.Generator, truth: int) -> dict[str, str]:
        order = rng.permutation(list(ERRS))
        answers = {by: names[truth ^ int(rng.random() < ERRS[by])] for by in order}
        first = dict(list(answers.items())[:2])
        return first if len(set(first.values())) == 1 else answers

    def ways(trial: Trial) -> Ways:
        rng = np.random.default_rng(trial.seed)
        votes = {str(i): said(rng, int(trial.pool_targets[i])) for i in range(n)}
        crowd = dawid_skene(votes, names)
        beliefs = torch.tensor(np.array([crowd.beliefs[id] for id in votes])).float()
        most = [max(names, key=[*one.values()].count) for one in votes.values()]
        majority = functional.one_hot(torch.tensor([int(label) for label in most]), 2).float()
        yield "majority", majority
        yield "majority, as far as it is believed", majority * beliefs
        yield "most believed class", functional.one_hot(beliefs.argmax(1), 2).float()
        yield "each class as far as it is believed", beliefs
        yield "true classes instead", functional.one_hot(trial.pool_targets[:n], 2).float()

    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["unsure", "people"])
    parser.add_argument("--labels", type=int, nargs="+", default=[100])
    parser.add_argument("--seeds", type=int, default=12)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found, _ = trials(WORDS, given.seeds)
    own = [standardised(trial) for trial in found]
    print("| labels | off, macro-F1 | difference | weigh, macro-F1 | difference |")
    print("| --- " + "| ---: " * 4 + "|")
    for n in given.labels:
        ways = {"unsure": unsure, "people": people}[given.what](n)
        by_seed = [dict(ways(trial)) for trial in own]
        names = list(by_seed[0])
        targets = torch.stack([torch.stack(list(one.values())) for one in by_seed])
        features = torch.stack([trial.pool[:n] for trial in own])
        reached = []
        for q in (0.0, DOUBT):
            heads = fit_parts(features, targets, q=q)
            reached.append(
                [
                    [macro_f1(trial, logits(head, trial.held_out)) for head in parts]
                    for trial, parts in zip(own, heads, strict=True)
                ]
            )
        scores = np.array(reached)  # [loss, seed, way]
        for at, name in enumerate(names):
            print(row(f"{n}: {name}", scores[:, :, at], scores[:, :, 0]), flush=True)


if __name__ == "__main__":
    main()
