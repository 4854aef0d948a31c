"""Measure what the handling of wrong answers is worth in whole runs, answer for answer.

    python scripts/measure_noise_in_runs.py experiment=elpv_confused --noise off weigh
    python scripts/measure_noise_in_runs.py experiment=elpv_rare --metric average_precision

Ordinary simulated runs of `--answers` answers with each value of `labels.noise`, the same split and
the same errors of the same seeds. The held-out images have their true classes. Differences to the
first value are paired by seed, with 95 % intervals, at some numbers of answers. Finished runs under
`--out` are not run again. Further words are settings of every run.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from heads_on_features import row

from alvision.cli.run import run_in_study
from alvision.config.compose import compose


def scores(folder: Path, metric: str) -> dict[int, float]:
    """Return a run's score by its number of answers."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return {int(line["answers"]): float(line[metric]) for line in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--noise", nargs="+", default=["off", "weigh"])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--answers", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--metric", default="macro_f1")
    parser.add_argument("--out", type=Path, default=Path("runs") / "noise")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| labels.noise | " + " | ".join(f"{n} answers | difference" for n in given.answers) + " |"
    )
    print("| --- " + "| ---: " * 2 * len(given.answers) + "|", flush=True)
    base = None
    for noise in given.noise:
        found = []
        for seed in range(given.seeds):
            folder = given.out / noise / f"seed-{seed}"
            words = [*given.words, "trainer=cpu", f"labels.noise={noise}", f"seed={seed}"]
            budget = compose(words).config.budget
            rounds = (max(given.answers) - int(budget.initial)) // budget.batch
            run_in_study(compose([*words, f"budget.rounds={rounds}", f"out={folder}"]))
            found.append(scores(folder, given.metric))
        own = [[run[n] for run in found] for n in given.answers]
        base = own if base is None else base
        print(row(noise, own, base), flush=True)


if __name__ == "__main__":
    main()
