"""Measure how soon the defects of a pool are found: labels until half and 80 % of them.

    python scripts/measure_discovery.py --defect defective runs/rare runs/benchmark/elpv_rare

Reads finished studies (`alvision compare`), from the answers of their rounds; a study has `full`,
which labels the whole pool and so knows how many defects there are. A strategy that several studies
have is read from the first. The ratio is that of the labels until half, paired by seed with
`--against` (the random labels of the study): its geometric mean with a 95 % interval. A run that
ends before it has found half counts with all of its labels, so its ratio says at least or at most.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np

from alvision.evaluation.intervals import mean_interval
from alvision.study.collect import FULL, THROUGHOUT

SHARES = (0.5, 0.8)


def found(run: Path, defect: str) -> tuple[list[int], int]:
    """Return after how many labels each defect was found, in the order asked, and all labels."""
    hits, count = [], 0
    for answers in sorted(run.glob("rounds/*/answers.csv")):
        with (answers.parent / "query.csv").open(encoding="utf-8") as file:
            ranks = {row["id"]: int(row["rank"]) for row in csv.DictReader(file)}
        with answers.open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] == "label"]
        for row in sorted(rows, key=lambda row: ranks.get(row["id"], 0)):
            count += 1
            if row["label"] == defect:
                hits.append(count)
    return hits, count


def until(hits: list[int], total: int, share: float) -> float:
    """Return the labels until a share of all defects is found; infinite where it is not.

    >>> until([3, 9, 20], 4, 0.5), until([3, 9, 20], 4, 0.8)
    (9.0, inf)
    """
    wanted = math.ceil(share * total)
    return float(hits[wanted - 1]) if len(hits) >= wanted else math.inf


def ratio(labels: np.ndarray, base: np.ndarray) -> str:
    """Write how many times as many labels as the base, both [S], with its interval.

    >>> ratio(np.array([20.0, 40.0]), np.array([10.0, 20.0]))
    '2.00 (2.00 to 2.00)'
    """
    by = mean_interval(np.log(labels / base))
    value, low, high = (math.exp(x) for x in (by.value, by.low, by.high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--defect", required=True, help="the class that is looked for")
    parser.add_argument("--against", default=THROUGHOUT, help="the strategy of the ratio")
    options = parser.parse_args()
    totals: dict[str, int] = {}
    runs: dict[str, dict[str, tuple[list[int], int]]] = {}
    for study in options.studies:
        for run in sorted(study.glob("*/seed-*")):
            hits, count = found(run, options.defect)
            if run.parent.name == FULL:
                totals[run.name] = len(hits)
            else:
                runs.setdefault(run.parent.name, {}).setdefault(run.name, (hits, count))
    seeds = sorted(set(totals).intersection(*runs.values()))

    def labels_until(name: str, share: float) -> np.ndarray:
        return np.array([until(runs[name][seed][0], totals[seed], share) for seed in seeds])

    def until_half_or_end(name: str) -> np.ndarray:
        return np.minimum(labels_until(name, 0.5), [runs[name][seed][1] for seed in seeds])

    base = until_half_or_end(options.against)
    print(f"{len(seeds)} seeds, {min(totals.values())} to {max(totals.values())} defects in a pool")
    print("| strategy | half, median | reached | 80 %, median | reached | labels until half |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in runs:
        cells = []
        for share in SHARES:
            labels = labels_until(name, share)
            median = np.median(labels)
            cells.append(f"{median:g}" if np.isfinite(median) else "not reached")
            cells.append(f"{np.isfinite(labels).sum()} of {len(seeds)}")
        print(f"| {name} | {' | '.join(cells)} | {ratio(until_half_or_end(name), base)} |")


if __name__ == "__main__":
    main()
