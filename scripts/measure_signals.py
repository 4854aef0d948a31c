"""Compute the signals of advice for the runs of the benchmark, and write benchmarks/signals.csv.

    python scripts/benchmark_strategies.py --out runs/benchmark
    python scripts/measure_signals.py runs/benchmark elpv digits xsdd

One row for each round of a run: what `advice.signals` says of its predictions, and the gain since
three rounds before. The data sets must be where the runs found them. `backtest_advice.py` reads it.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from alvision.advice.sentences import LOOK_BACK
from alvision.advice.signals import signals
from alvision.dataset.dataset import DataSet
from alvision.dataset.simulation import simulation
from alvision.evaluation.metrics import metric
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.run_folder.load import load_run_config_in_place

STRATEGIES = ("uncertainty_herding", "random_sampling")
COLUMNS = ("protocol", "acquisition", "seed", "round", "answers", "score", "agreement",
           "uncertainty", "expected_error", "gain", "low", "high")  # fmt: skip
TO = Path(__file__).parent.parent / "benchmarks" / "signals.csv"


def rows_of(run: Path, truth: dict[str, str], metric_name: str, defects: list[str]) -> list[dict]:
    """Return one row for each round of a run."""
    rows, earlier = [], []
    for folder in sorted((run / "rounds").glob("[0-9]*")):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        now = ClassProbabilities.read(folder / "predictions.parquet")
        found = signals(
            now,
            {id: truth[id] for id in now.ids},
            earlier[:LOOK_BACK],
            classes=now.classes,
            metric=metric(metric_name),
            defects=defects,
        )
        recent = found.get("gains", [])[:LOOK_BACK][-1:] or [{}]
        own = {key: found[key] for key in ("agreement", "uncertainty", "expected_error")}
        rows.append(
            {
                "round": metrics["round"],
                "answers": metrics["answers"],
                "score": metrics[metric_name],
                **own,
                "gain": recent[0].get("value"),
                **{end: recent[0].get(end) for end in ("low", "high")},
            }
        )
        earlier.insert(0, (metrics["labels"], now))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("protocols", nargs="+")
    given = parser.parse_args()
    found = []
    for protocol in given.protocols:
        for seed in range(12):
            runs = [given.runs / protocol / name / f"seed-{seed}" for name in STRATEGIES]
            config = load_run_config_in_place(runs[0])  # a seed's runs have one split
            truth = dict(simulation(DataSet.open(config)).truth)
            for name, run in zip(STRATEGIES, runs, strict=True):
                rows = rows_of(run, truth, config.target.metric, config.defects or [])
                here = {"protocol": protocol, "acquisition": name, "seed": seed}
                found += [here | row for row in rows]
            print(protocol, seed, len(found), flush=True)
    with TO.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in found:
            writer.writerow([_text(row[column]) for column in COLUMNS])


def _text(value: object) -> str:
    return "" if value is None else f"{value:.5f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
