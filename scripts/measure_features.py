"""Measure which features of a frozen trunk are worth most: macro-F1 by labels, random and margin.

    python scripts/measure_features.py data=elpv data.image.size=224
    python scripts/measure_features.py data=csv data.root=FOLDER data.file=FOLDER/labels.csv

Each kind of features is used for the same splits, first labels and heads: `audit.share=.5` is held
out with its groups whole, a head is trained as in a run, and a batch is added by the strategy.
`--seeds`, `--batch`, `--rounds`: size of it. The table goes to standard output.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import f1_score

from alvision.acquisition import margin
from alvision.config.compose import configuration
from alvision.core.seeding import generator
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.training import Learner

KINDS = [(f, v) for v in ("none", "flips") for f in ("final", "multilevel")]


def curve(
    learner: Learner, truth: dict[str, str], pool: list[str], held_out: list[str],
    strategy: str, seed: int, batch: int, rounds: int,
) -> list[float]:  # fmt: skip
    """Return macro-F1 on the held-out images after each round."""
    order = torch.randperm(len(pool), generator=generator(seed, "order")).tolist()
    left = [pool[row] for row in order]
    known, left = left[:batch], left[batch:]
    scores = []
    for number in range(rounds):
        model = learner.fit({id: truth[id] for id in known}, round=number)
        said = learner.predict(model, held_out)
        called = [said.classes[column] for column in said.values.argmax(1)]
        scores.append(f1_score([truth[id] for id in said.ids], called, average="macro"))
        if strategy == "margin":
            seen = learner.infer(model, left, needs={"scores"}, score=margin, round=number)
            assert seen.scores is not None
            best = seen.scores.argsort(descending=True, stable=True)[:batch].tolist()
            chosen = [seen.ids[row] for row in best]
        else:
            chosen = left[:batch]
        known = known + chosen
        left = [id for id in left if id not in set(chosen)]
    return scores


def measure(words: list[str], seeds: int, batch: int, rounds: int) -> None:
    config = configuration([*words, "acquisition=margin"])
    data = DataSet.open(config)
    manifest = data.manifest
    truth = {id: t for id, t in zip(manifest.ids, manifest.truth, strict=True) if t}
    groups = data.groups
    print(f"| features | views | D | strategy | {batch} labels | {batch * rounds // 2} labels "
          f"| {batch * rounds} labels | mean of all | spread |")  # fmt: skip
    print("| --- | --- | ---: | --- " + "| ---: " * 5 + "|")
    for features, views in KINDS:
        model = replace(config.model, features=features, views=views)
        for strategy in ("random", "margin"):
            curves = []
            for seed in range(seeds):
                split = simulated_split(manifest, groups, seed=seed, share=0.5, fold=None)
                learner = Learner(
                    manifest, data.hashes, data.classes, config.data, model, config.trainer, seed,
                    groups, pool=split.pool, progress=True,
                )  # fmt: skip
                parts = (
                    [id for id in part if id in truth] for part in (split.pool, split.held_out)
                )
                curves.append(curve(learner, truth, *parts, strategy, seed, batch, rounds))
            found = np.array(curves)
            mean, spread = found.mean(0), found.mean(1).std(ddof=1)
            cells = [mean[0], mean[rounds // 2 - 1], mean[-1], mean.mean(), spread]
            print(f"| {features} | {views} | {learner.features.width} | {strategy} | "
                  + " | ".join(f"{value:.3f}" for value in cells) + " |", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("words", nargs="+", help="configuration, as for `alvision run`")
    arguments = parser.parse_args()
    measure(arguments.words, arguments.seeds, arguments.batch, arguments.rounds)
