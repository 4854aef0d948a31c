"""Read and write what the benchmark keeps: each run's curve and a hash of what it asked for."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from alvision.evaluation.metrics import comparable
from alvision.evaluation.metrics import metric as metric_of
from alvision.run_folder.round_files import read_csv
from alvision.study.collect import FULL, TARGET_SHARE, Study, baseline_of, collect, seeds_of
from alvision.study.per_class import Details

PICKS = "picks.csv"
COLUMNS = ("acquisition", "seed", "round", "answers", "seconds")
DIGITS = 6


def curves(folder: Path) -> list[dict[str, object]]:
    """Return the curves of a finished study as rows, those of the full fits among them."""
    study = collect(folder)
    rows = []
    for name in (*study.acquisitions, FULL):
        for seed, run in seeds_of(folder / name).items():
            for line in read_csv(run / "metrics.csv"):
                rows.append(
                    {
                        "acquisition": name,
                        "seed": seed,
                        **{column: line[column] for column in COLUMNS[2:]},
                        study.metric.name: f"{float(line[study.metric.name]):.{DIGITS}f}",
                    }
                )
    return rows


def study_of(path: Path) -> Study:
    """Build a study from the rows of `curves`, as the file of a protocol holds them."""
    lines = read_csv(path)
    (metric,) = lines[0].keys() & set(comparable())
    names = list(dict.fromkeys(line["acquisition"] for line in lines))
    names.remove(FULL)
    seeds = tuple(sorted({int(line["seed"]) for line in lines}))

    def column(name: str, key: str) -> np.ndarray:
        values = [
            [float(x[key]) for x in lines if x["acquisition"] == name and int(x["seed"]) == seed]
            for seed in seeds
        ]
        return np.array(values)

    full = column(FULL, metric)[:, -1]
    known = all(line["seconds"] for line in lines)
    nothing = np.zeros((len(seeds), 0))
    return Study(
        folder=path,
        metric=metric_of(metric),
        acquisitions=tuple(names),
        baseline=baseline_of(names),
        seeds=seeds,
        answers=column(names[0], "answers"),
        values={name: column(name, metric) for name in names},
        full=full,
        target=TARGET_SHARE * full,
        details=Details((), nothing, {}, {}, {name: column(name, "seconds") for name in names})
        if known
        else None,
    )


def picks(run: Path) -> str:
    """Return a sha256 over everything that a run asked for: its rounds and ids, in order."""
    digest = hashlib.sha256()
    for query in sorted(run.glob("rounds/*/query.csv")):
        ids = [row["id"] for row in read_csv(query)]
        digest.update("\x1f".join([query.parent.name, *ids]).encode() + b"\x1e")
    return digest.hexdigest()


def all_picks(folder: Path, protocol: str) -> dict[tuple[str, str, int], str]:
    """Return `picks` of every run of a study, by protocol, acquisition and seed."""
    return {
        (protocol, path.name, seed): picks(run)
        for path in sorted(folder.iterdir())
        if path.name != FULL
        for seed, run in seeds_of(path).items()
    }


def read_picks(path: Path) -> dict[tuple[str, str, int], str]:
    """Read what `write_picks` wrote; nothing where there is no file."""
    lines = read_csv(path) if path.exists() else []
    return {(x["protocol"], x["acquisition"], int(x["seed"])): x["sha256"] for x in lines}


def write_picks(found: Mapping[tuple[str, str, int], str], path: Path) -> None:
    """Write the hashes, sorted."""
    head = ("protocol", "acquisition", "seed", "sha256")
    _write(path, head, ((*key, value) for key, value in sorted(found.items())))


def write_curves(rows: list[dict[str, object]], path: Path) -> None:
    """Write the rows of `curves`."""
    _write(path, tuple(rows[0]), (row.values() for row in rows))


def _write(path: Path, head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
