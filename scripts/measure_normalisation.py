"""Measure which normalisation suits the packaged weights: .5/.5, or ImageNet's.

    python scripts/measure_normalisation.py data=elpv
    python scripts/measure_normalisation.py data=csv data.root=FOLDER data.file=FOLDER/labels.csv

A frozen run with random labels, on the same splits and first labels for both: `audit.share=.5` is
held out with its groups whole. `--seeds` splits and `--labels` counts; the table of macro-F1 and of
the paired differences, with 95 % intervals of Student's t, goes to standard output.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import f1_score

from alvision.config.compose import configuration
from alvision.core.seeding import generator
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.models.backbones import IMAGENET
from alvision.training import Learner

HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NORMALISATIONS = {"halves": HALVES, "ImageNet": IMAGENET}


def scores(words: list[str], seeds: int, counts: list[int]) -> dict[str, np.ndarray]:
    """Return macro-F1 [seeds, counts] by normalisation."""
    config = configuration([*words, "acquisition=random_sampling"])
    data = DataSet.open(config)
    truth = {id: t for id, t in zip(data.manifest.ids, data.manifest.truth, strict=True) if t}
    found: dict[str, np.ndarray] = {}
    for name, (mean, std) in NORMALISATIONS.items():
        rows = []
        for seed in range(seeds):
            split = simulated_split(data.manifest, data.groups, seed=seed, share=0.5, fold=None)
            learner = Learner(
                data.manifest, data.hashes, data.classes, config.data, config.model,
                config.trainer, seed, data.groups, pool=split.pool, progress=True,
            )  # fmt: skip
            learner.features.backbone = replace(learner.backbone, mean=mean, std=std)
            pool = [id for id in split.pool if id in truth]
            held_out = [id for id in split.held_out if id in truth]
            order = torch.randperm(len(pool), generator=generator(seed, "order")).tolist()
            row = []
            for number, count in enumerate(counts):
                known = {pool[place]: truth[pool[place]] for place in order[:count]}
                said = learner.predict(learner.fit(known, round=number), held_out)
                called = [said.classes[column] for column in said.values.argmax(1)]
                row.append(f1_score([truth[id] for id in said.ids], called, average="macro"))
            rows.append(row)
        found[name] = np.array(rows)
    return found


def table(found: dict[str, np.ndarray], counts: list[int]) -> str:
    """Return the table in Markdown."""
    lines = ["| labels | halves | ImageNet | ImageNet - halves |", "| ---: | ---: | ---: | --- |"]
    for column, count in enumerate(counts):
        halves, imagenet = (found[name][:, column] for name in NORMALISATIONS)
        gaps = imagenet - halves
        half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
        lines.append(
            f"| {count} | {halves.mean():.3f} | {imagenet.mean():.3f} | "
            f"{gaps.mean():+.3f} ({gaps.mean() - half:+.3f} to {gaps.mean() + half:+.3f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--labels", type=int, nargs="+", default=[28, 56, 112, 224, 448])
    parser.add_argument("words", nargs="+", help="configuration, as for `alvision run`")
    arguments = parser.parse_args()
    found = scores(arguments.words, arguments.seeds, arguments.labels)
    print(table(found, arguments.labels))
