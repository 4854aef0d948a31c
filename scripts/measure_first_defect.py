"""Measure how many labels a cold start needs until it has found a rare defect.

    python scripts/measure_first_defect.py [--seeds 24] [--write]

The pools of experiment=elpv_rare, in which one image in a hundred is a defect. Each start chooses
20 images at a time, knowing what it has chosen before, until one of another class is among them. No
network is trained. `a, then b`: b chooses after the first 20, as k_center does in a run where all
labels are of one class. `--write` puts the table into docs/acquisition.md.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from blocks import rewrite

from alvision.acquisition import k_center, max_herding, prob_cover, random_sampling, typiclust
from alvision.config.compose import compose
from alvision.core.seeding import generator
from alvision.evaluation.intervals import mean_interval
from alvision.inference.predictions import Predictions
from alvision.loop.build import build_learner, open_data

PAGE = Path(__file__).parents[1] / "docs" / "acquisition.md"
STARTS = {
    "typiclust": (typiclust, typiclust),
    "k_center": (k_center, k_center),
    "max_herding, then k_center": (max_herding, k_center),
    "prob_cover": (prob_cover, prob_cover),
    "random_sampling": (random_sampling, random_sampling),
    "max_herding": (max_herding, max_herding),
    "max_herding, then random_sampling": (max_herding, random_sampling),
}
BATCH, MOST = 20, 400


def pool(seed: int) -> tuple[Predictions, list[str]]:
    """Return the features of a seed's pool, and its classes."""
    config = compose(["experiment=elpv_rare", f"seed={seed}", "out=unused"]).config
    data = open_data(config)
    learner = build_learner(config, data, progress=True)
    found = learner.infer(None, list(data.split.pool), needs={"features"}, round=0)
    truth = dict(zip(data.manifest.ids, data.manifest.truth, strict=True))
    return found, [str(truth[id]) for id in found.ids]


def labels_needed(start: str, images: Predictions, classes: list[str], seed: int) -> int:
    """Return the labels until two classes are among them; MOST where they are not before."""
    first, after = STARTS[start]
    rng = generator(seed, "first defect")
    left, known = list(range(len(classes))), []
    while len(known) < MOST:
        choose = after if known else first
        picked = choose(_rows(images, left), _rows(images, known), n=BATCH, rng=rng).rows.tolist()
        known += [left[row] for row in picked]
        left = [row for row in left if row not in set(known)]
        said = [classes[row] for row in known]
        if len(set(said)) > 1:
            return 1 + [a == b for a, b in pairwise(said)].index(False) + 1
    return MOST


def _rows(images: Predictions, rows: list[int]) -> Predictions:
    assert images.features is not None
    return Predictions(tuple(images.ids[row] for row in rows), features=images.features[rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[int]] = {start: [] for start in STARTS}
    for seed in range(arguments.seeds):
        images, classes = pool(seed)
        for start, needed in found.items():
            needed.append(labels_needed(start, images, classes, seed))
    lines = [
        f"| start | labels to the first defect, mean of {arguments.seeds} seeds | median | most |",
        "| --- | ---: | ---: | ---: |",
    ]
    for start, needed in found.items():
        mean = mean_interval(np.array(needed, float))
        cells = [f"{mean.value:.0f} [{mean.low:.0f}, {mean.high:.0f}]", f"{np.median(needed):.0f}"]
        lines.append(f"| {start} | {' | '.join(cells)} | {max(needed)} |")
    print("\n".join(lines))
    if arguments.write:
        rewrite(PAGE, "first_defect", "\n".join(lines))


if __name__ == "__main__":
    main()
