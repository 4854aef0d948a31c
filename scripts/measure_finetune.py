"""Measure what finetuning is worth: macro-F1 of a frozen, a finetuned and a mean network, by seed.

    python scripts/measure_finetune.py --out elpv.csv --labels 200 experiment=elpv
    python scripts/measure_finetune.py --out elpv.csv --table

Every seed draws other labels and another half of the groups, which is held out whole; the three
networks learn the same labels. A row is appended for each fit, and rows that are there already are
not made again, so that the command can be stopped and given again. `--labels 0` takes the whole
pool; `--contest` runs `model.training=auto` as well, and tells what it chose.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score

from alvision.config.compose import configuration
from alvision.core.seeding import generator
from alvision.data.splits import simulated_split
from alvision.dataset.dataset import DataSet
from alvision.evaluation.intervals import mean_interval
from alvision.training import Learner
from alvision.training.checkpoint import Model

ARMS = ("frozen", "finetune", "mean", "auto")
COLUMNS = ("words", "labels", "seed", *ARMS, "chosen", "seconds")


def measure(words: list[str], labels: int, seed: int, *, compete: bool) -> dict[str, object]:
    """Train the networks of one seed, and return a row of the table."""
    config = configuration([*words, f"seed={seed}", "acquisition=random_sampling"])
    data = DataSet.open(config)
    manifest, groups = data.manifest, data.groups
    truth = {id: t for id, t in zip(manifest.ids, manifest.truth, strict=True) if t}
    fold = seed % 5 if config.data.kind == "xsdd" else None
    split = simulated_split(manifest, groups, seed=seed, share=config.audit.share, fold=fold)
    pool = [id for id in split.pool if id in truth]
    order = torch.randperm(len(pool), generator=generator(seed, "labels")).tolist()
    known = {pool[row]: truth[pool[row]] for row in order[: labels or None]}
    held_out = [id for id in split.held_out if id in truth]
    learner = Learner(
        manifest, data.hashes, data.classes, config.data,
        replace(config.model, training="auto" if compete else "finetune"), config.trainer, seed,
        groups, pool=split.pool,
    )  # fmt: skip

    def score(*models: Model) -> float:
        said = [learner.predict(model, held_out) for model in models]
        mean = np.mean([one.values for one in said], axis=0)
        called = [learner.classes[column] for column in mean.argmax(1)]
        return float(f1_score([truth[id] for id in said[0].ids], called, average="macro"))

    begun = time.monotonic()
    targets = {id: learner.classes.index(label) for id, label in sorted(known.items())}
    frozen = learner.fitter.fit_head(targets, 0)
    tuned = learner.fitter.fit_net(targets, 0)
    seconds = time.monotonic() - begun
    row: dict[str, object] = {
        "words": " ".join(words), "labels": labels, "seed": seed, "frozen": score(frozen),
        "finetune": score(tuned), "mean": score(frozen, tuned),
        "seconds": round(seconds),
    }  # fmt: skip
    if compete:
        model, how = learner.compete(known, round=0)
        row |= {"auto": score(model), "chosen": how.chosen}
    return row


def table(path: Path) -> None:
    """Print the means over the seeds, and the paired differences from the frozen network."""
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    for words, labels in sorted({(row["words"], int(row["labels"])) for row in rows}):
        own = [row for row in rows if (row["words"], int(row["labels"])) == (words, labels)]
        print(f"{words}: {labels or 'all'} labels, {len(own)} seeds")
        base = np.array([float(row["frozen"]) for row in own])
        for arm in ARMS:
            if not all(row[arm] for row in own):
                continue
            found = np.array([float(row[arm]) for row in own])
            gain = mean_interval(found - base)
            ends = f" ({gain.low:+.3f} to {gain.high:+.3f})" if gain.low is not None else ""
            print(f"  {arm:9} {found.mean():.3f}  {gain.value:+.3f}{ends}")


def main() -> None:
    """Measure what is missing, or print what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the table, a CSV file")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--contest", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("words", nargs="*", help="configuration, as for `alvision run`")
    asked = parser.parse_args()
    if asked.table:
        table(asked.out)
        return
    done = set()
    if asked.out.exists():
        rows = csv.DictReader(asked.out.open(encoding="utf-8"))
        done = {(row["words"], row["labels"], row["seed"], bool(row["auto"])) for row in rows}
    for seed in range(asked.seeds):
        if (" ".join(asked.words), str(asked.labels), str(seed), asked.contest) in done:
            continue
        row = measure(asked.words, asked.labels, seed, compete=asked.contest)
        new = not asked.out.exists()
        with asked.out.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
