"""Measure whether novelty recognises an unseen class: each class is left out in turn.

    python scripts/left_out_classes.py data=csv data.root=FOLDER data.file=FOLDER/labels.csv

Features, neighbours and known images are those of a bundle that is exported from such data without
the class. The area under the ROC curve is that of held-out images: of the class left out against
all others. `--seeds`: splits to average over. The table goes to standard output.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

from alvision.config.compose import configuration
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.deploy.bundle.export import KNOWN
from alvision.deploy.bundle.verdict import novelty
from alvision.loop.build import build_learner


def measure(words: list[str], seeds: int) -> None:
    config = configuration([*words, "acquisition=margin"])
    data = DataSet.open(config)
    manifest = data.manifest
    truth = {id: t for id, t in zip(manifest.ids, manifest.truth, strict=True) if t}
    learner = build_learner(config, data, progress=True)
    seen = learner.infer(None, sorted(truth), needs={"features"}, round=0)
    assert seen.features is not None
    features = dict(zip(seen.ids, seen.features.numpy(), strict=True))
    areas: dict[str, list[float]] = {name: [] for name in data.classes}
    for seed in range(seeds):
        split = simulated_split(manifest, data.groups, seed=seed, share=0.3, fold=None)
        pool = [id for id in split.pool if id in features]
        held_out = [id for id in split.held_out if id in features]
        order = np.random.default_rng(seed).permutation(len(pool))
        for name in data.classes:
            known = [pool[i] for i in order if truth[pool[i]] != name][:KNOWN]
            reference = np.stack([features[id] for id in known]).astype(np.float16)
            scores = novelty(np.stack([features[id] for id in held_out]), reference)
            areas[name].append(roc_auc_score([truth[id] == name for id in held_out], scores))
    print(f"| left out | images | AUROC, mean of {seeds} | lowest |")
    print("| --- | ---: | ---: | ---: |")
    for name, found in areas.items():
        images = sum(label == name for label in truth.values())
        print(f"| {name} | {images} | {np.mean(found):.3f} | {min(found):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    arguments, words = parser.parse_known_args()
    measure(words, arguments.seeds)


if __name__ == "__main__":
    main()
