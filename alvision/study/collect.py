"""Read a study's folder: the learning curves of every acquisition and seed, paired by seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.rounds import read_document
from alvision.evaluation.metrics import Metric, comparable, recorded
from alvision.evaluation.metrics import metric as metric_of
from alvision.run_folder.round_files import read_csv
from alvision.study.jobs import mean_hours
from alvision.study.per_class import Details, read_details

BASELINE = "random_sampling"
"""What every other acquisition function is compared with."""

FULL = "full"
"""The folder of the fits on the whole pool."""

TARGET_SHARE = 0.95
"""Share of the full-data score that is the target where none is given.

High enough to mean "as good as all labels", low enough that curves reach it well before their end.
"""

AGAIN = "run the same compare again to finish it"


@dataclass(frozen=True, eq=False)
class Study:
    """The curves of a study: S seeds, R rounds, the same for every acquisition.

    Attributes:
        folder: Where the runs are.
        metric: What the curves show; higher is better.
        acquisitions: Names, in the order of the report.
        baseline: `random_sampling`, or None if it is not part of the study.
        seeds: Seeds in increasing order; row i of every array belongs to seeds[i].
        answers: Answers given, [S, R].
        values: The metric by acquisition, [S, R] each.
        full: Score of a fit on the whole pool, [S]; None if there are no such runs.
        target: The score that labels are counted to, [S]; None without a value and full runs.
        config: The resolved configuration of the first run.
        details: Scores of each class and seconds of labelling; None without the rounds' files.
        hours: Mean wall-clock hours of a run by acquisition, where they were recorded.
    """

    folder: Path
    metric: Metric
    acquisitions: tuple[str, ...]
    baseline: str | None
    seeds: tuple[int, ...]
    answers: np.ndarray
    values: Mapping[str, np.ndarray]
    full: np.ndarray | None = None
    target: np.ndarray | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    details: Details | None = None
    hours: Mapping[str, float] = field(default_factory=dict)

    @property
    def metric_title(self) -> str:
        """Return the metric's name in a sentence."""
        return self.metric.title

    @property
    def others(self) -> tuple[str, ...]:
        """Return the acquisitions that are compared with the baseline."""
        return tuple(name for name in self.acquisitions if name != self.baseline)


def run_folder(out: Path | str, acquisition: str, seed: int) -> Path:
    """Return the folder of one run of a study.

    >>> run_folder("out", "margin", 3).as_posix()
    'out/margin/seed-3'
    """
    return Path(out) / acquisition / f"seed-{seed}"


def seeds_of(folder: Path) -> dict[int, Path]:
    """Return an acquisition's run folders by the seed in their name, in increasing order."""
    if not folder.is_dir():
        return {}
    found = {
        int(match[1]): path
        for path in folder.iterdir()
        if (match := re.fullmatch(r"seed-(\d+)", path.name)) and path.is_dir()
    }
    return dict(sorted(found.items()))


def collect(
    folder: Path | str,
    acquisitions: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
) -> Study:
    """Read the curves of a study and check that they can be compared.

    Args:
        folder: Holds `<acquisition>/seed-<n>/` and `full/seed-<n>/`.
        acquisitions: Which ones; None: all that are there, the baseline first.
        seeds: Which ones; None: all that are there.
        metric: None: `target.metric` of the first run.
        target: The score to reach; None: `target.value` of the first run, and without that
            .95 of the full-data score *of each seed*: the split follows the seed, so some seeds
            have harder test parts than others, and a common target would mostly count those.

    Raises:
        UserError: No runs; runs that are missing or unfinished; seeds, rounds or answers that
            differ between acquisitions; runs of differing configuration; a metric that cannot
            be compared.
    """
    folder = Path(folder)
    names = tuple(acquisitions or _acquisitions(folder))
    wanted = tuple(sorted(seeds if seeds is not None else _common_seeds(folder, names)))
    if not names or not wanted:
        raise UserError(f"{folder} holds no study: no <acquisition>/seed-<n> in it; check out=")
    runs = {(name, seed): run_folder(folder, name, seed) for name in names for seed in wanted}
    documents = {path: read_document(path) for path in runs.values()}
    first = documents[run_folder(folder, names[0], wanted[0])]
    _refuse_differences(folder, documents, ignore=("acquisition", "seed"))
    full_runs = _full_runs(folder, wanted)
    if full_runs:
        both = {path: read_document(path) for path in full_runs}
        both = {next(iter(documents)): first} | both
        _refuse_differences(folder, both, ignore=("acquisition", "seed", "budget", "cold_start"))

    wanted_target = first["config"].get("target") or {}
    metric = metric or wanted_target.get("metric") or "macro_f1"
    known = recorded(first.get("metrics"))
    if metric not in comparable(known):
        raise UserError(f"target.metric={metric}: choose one of {', '.join(comparable(known))}")
    tables = {key: _read_metrics(path, metric) for key, path in runs.items()}
    _refuse_unequal(folder, names, wanted, tables)
    full = np.array([_read_metrics(path, metric)[-1, 1] for path in full_runs])
    value = target if target is not None else wanted_target.get("value")
    targets: np.ndarray | None = TARGET_SHARE * full if full_runs else None
    if value is not None:
        targets = np.full(len(wanted), float(value))
    return Study(
        folder=folder,
        metric=metric_of(metric, known),
        acquisitions=names,
        baseline=BASELINE if BASELINE in names else None,
        seeds=wanted,
        answers=np.stack([tables[names[0], seed][:, 0] for seed in wanted]),
        values={name: np.stack([tables[name, seed][:, 1] for seed in wanted]) for name in names},
        full=full if full_runs else None,
        target=targets,
        config=first["config"],
        details=read_details(
            {name: [runs[name, seed] for seed in wanted] for name in names},
            len(tables[names[0], wanted[0]]),
            first["classes"],
        ),
        hours={
            name: hours
            for name in names
            if (hours := mean_hours([runs[name, seed] for seed in wanted])) is not None
        },
    )


def _acquisitions(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not there; check out=")
    names = [path.name for path in folder.iterdir() if path.name != FULL and seeds_of(path)]
    return sorted(names, key=lambda name: (name != BASELINE, name))


def _common_seeds(folder: Path, names: Sequence[str]) -> list[int]:
    found = {name: set(seeds_of(folder / name)) for name in names}
    everything = set[int]().union(*found.values())
    for name, seeds in found.items():
        missing = sorted(everything - seeds)
        if missing:
            raise UserError(
                f"{folder / name} lacks seed {', '.join(map(str, missing))}, which other "
                f"acquisitions have: {AGAIN}"
            )
    return sorted(everything)


def _full_runs(folder: Path, seeds: Sequence[int]) -> list[Path]:
    there = seeds_of(folder / FULL)
    missing = [seed for seed in seeds if seed not in there]
    if there and missing:
        raise UserError(
            f"{folder / FULL} lacks seed {', '.join(map(str, missing))}, so the full-data score "
            f"is not known: {AGAIN}"
        )
    return [there[seed] for seed in seeds] if there else []


def _read_metrics(path: Path, metric: str) -> np.ndarray:
    """Read a run's curve: answers and metric, [R, 2]."""
    file = path / "metrics.csv"
    if not file.exists():
        raise UserError(f"{path} is not finished, it has no metrics.csv: {AGAIN}")
    rows = read_csv(file)
    try:
        table = np.array([[float(row["answers"]), float(row[metric])] for row in rows])
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{file} has no {metric} in every round; choose another target.metric"
        ) from None
    if not len(table):
        raise UserError(f"{file} has no rounds: {AGAIN}")
    return table


def _refuse_unequal(
    folder: Path,
    names: Sequence[str],
    seeds: Sequence[int],
    tables: Mapping[tuple[str, int], np.ndarray],
) -> None:
    rounds = len(tables[names[0], seeds[0]])
    for (name, seed), table in tables.items():
        if len(table) != rounds:
            raise UserError(
                f"{folder}: unequal rounds: {name}/seed-{seed} has {len(table)}, "
                f"{names[0]}/seed-{seeds[0]} has {rounds}; {AGAIN}, or compare into another out="
            )
        if not np.array_equal(table[:, 0], tables[names[0], seed][:, 0]):
            raise UserError(
                f"{folder}: {name}/seed-{seed} and {names[0]}/seed-{seed} did not get the same "
                "number of answers in each round, so they cannot be compared; compare into "
                "another out="
            )


def _refuse_differences(
    folder: Path, documents: Mapping[Path, Mapping[str, Any]], *, ignore: Sequence[str]
) -> None:
    """Compare every run's fingerprint, and the data it saw, with the first one's."""
    (reference, document), *rest = documents.items()
    expected = _fingerprint(document, ignore)
    for path, other in rest:
        seen = {document.get("manifest"), other.get("manifest")} - {None}
        if len(seen) > 1:
            raise UserError(
                f"{folder} mixes data: {path.relative_to(folder).as_posix()} saw other images or "
                f"classes than {reference.relative_to(folder).as_posix()} (another manifest); "
                "compare into another out="
            )
        given = _fingerprint(other, ignore)
        for key in sorted(expected.keys() | given.keys()):
            if expected.get(key) != given.get(key):
                raise UserError(
                    f"{folder} mixes configurations: {key} is {expected.get(key)!r} in "
                    f"{reference.relative_to(folder).as_posix()} and {given.get(key)!r} in "
                    f"{path.relative_to(folder).as_posix()}; compare into another out="
                )


def _fingerprint(document: Mapping[str, Any], ignore: Sequence[str]) -> dict[str, Any]:
    kept = document["fingerprint"].items()
    flat = {key: value for key, value in kept if key.split(".")[0] not in ignore}
    return {**flat, "classes": document["classes"]}
