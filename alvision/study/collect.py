"""Read a study's folder: the learning curves of every acquisition and seed, paired by seed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.rounds import read_document
from alvision.evaluation.metrics import Metric, comparable, recorded
from alvision.evaluation.metrics import metric as metric_of
from alvision.run_folder.round_files import read_csv
from alvision.study.found_defects import Found, read_found
from alvision.study.jobs import mean_hours
from alvision.study.mixed_runs import AGAIN, refuse_differences, refuse_others, refuse_unequal
from alvision.study.per_class import Details, read_details

BASELINE = "random_sampling"
"""Draws at random after the first labels that all acquisition functions share."""

THROUGHOUT = "random_throughout"
"""The folder of the runs that draw at random from the first label to the last.

No acquisition function, but what people do without any: every other one is compared with it.
"""

FULL = "full"
"""The folder of the fits on the whole pool."""

TARGET_SHARE = 0.95
"""Share of the full-data score that is the target where none is given.

High enough to mean "as good as all labels", low enough that curves reach it well before their end.
"""


@dataclass(frozen=True, eq=False)
class Study:
    """The curves of a study: S seeds, R rounds, the same for every acquisition.

    Attributes:
        folder: Where the runs are.
        metric: What the curves show; higher is better.
        acquisitions: Names, in the order of the report.
        baseline: What the others are compared with: `random_throughout`, or `random_sampling` in a
            study without it; None if neither is part of the study.
        seeds: Seeds in increasing order; row i of every array belongs to seeds[i].
        answers: Answers given, [S, R].
        values: The metric by acquisition, [S, R] each.
        full: Score of a fit on the whole pool, [S]; None if there are no such runs.
        target: The score that labels are counted to, [S]; None without a value and full runs.
        config: The resolved configuration of the first run.
        details: Scores of each class and seconds of labelling; None without the rounds' files.
        hours: Mean wall-clock hours of a run by acquisition, where they were recorded.
        found: When each defect of the pool was found; None where no defects are named, or without
            the rounds' files and the fits on the whole pool.
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
    found: Found | None = None

    @property
    def metric_title(self) -> str:
        """Return the metric's name in a sentence."""
        return self.metric.title

    @property
    def others(self) -> tuple[str, ...]:
        """Return the acquisitions that are compared with the baseline."""
        return tuple(name for name in self.acquisitions if name != self.baseline)

    @property
    def same_start(self) -> tuple[str, ...]:
        """Return the acquisitions that are also compared with random sampling after their start.

        Only where that is not the baseline already.
        """
        if self.baseline != THROUGHOUT or BASELINE not in self.acquisitions:
            return ()
        return tuple(name for name in self.others if name != BASELINE)


def run_folder(out: Path | str, acquisition: str, seed: int) -> Path:
    """Return the folder of one run of a study.

    >>> run_folder("out", "margin", 3).as_posix()
    'out/margin/seed-3'
    """
    return Path(out) / acquisition / f"seed-{seed}"


def may_differ(acquisition: str) -> tuple[str, ...]:
    """Return the keys in which a run may differ from the study's first acquisition.

    >>> may_differ("full")
    ('acquisition', 'seed', 'cold_start', 'budget')
    """
    more = {THROUGHOUT: ("cold_start",), FULL: ("cold_start", "budget")}
    return ("acquisition", "seed", *more.get(acquisition, ()))


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
    chosen = [name for name in names if name != THROUGHOUT] or list(names)
    documents = {path: read_document(path) for (name, _), path in runs.items() if name in chosen}
    reference, first = next(iter(documents.items()))
    refuse_differences(folder, documents, ignore=may_differ(chosen[0]))
    if THROUGHOUT in names:
        random = [runs[THROUGHOUT, seed] for seed in wanted]
        refuse_others(folder, reference, random, ignore=may_differ(THROUGHOUT))
    full_runs = _full_runs(folder, wanted)
    refuse_others(folder, reference, full_runs, ignore=may_differ(FULL))

    wanted_target = first["config"].get("target") or {}
    metric = metric or wanted_target.get("metric") or "macro_f1"
    known = recorded(first.get("metrics"))
    if metric not in comparable(known):
        raise UserError(f"target.metric={metric}: choose one of {', '.join(comparable(known))}")
    tables = {key: _read_metrics(path, metric) for key, path in runs.items()}
    refuse_unequal(folder, names, wanted, tables)
    full = np.array([_read_metrics(path, metric)[-1, 1] for path in full_runs])
    value = target if target is not None else wanted_target.get("value")
    targets: np.ndarray | None = TARGET_SHARE * full if full_runs else None
    if value is not None:
        targets = np.full(len(wanted), float(value))
    folders = {name: [runs[name, seed] for seed in wanted] for name in names}
    return Study(
        folder=folder,
        metric=metric_of(metric, known),
        acquisitions=names,
        baseline=baseline_of(names),
        seeds=wanted,
        answers=np.stack([tables[names[0], seed][:, 0] for seed in wanted]),
        values={name: np.stack([tables[name, seed][:, 1] for seed in wanted]) for name in names},
        full=full if full_runs else None,
        target=targets,
        config=first["config"],
        details=read_details(folders, len(tables[names[0], wanted[0]]), first["classes"]),
        hours={
            name: hours
            for name in names
            if (hours := mean_hours([runs[name, seed] for seed in wanted])) is not None
        },
        found=read_found(folders, full_runs, first.get("defects") or ()),
    )


def _acquisitions(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not there; check out=")
    names = [path.name for path in folder.iterdir() if path.name != FULL and seeds_of(path)]
    return sorted(names, key=lambda name: (name != THROUGHOUT, name != BASELINE, name))


def baseline_of(names: Collection[str]) -> str | None:
    """Return what the acquisitions of a study are compared with; None where there is no such run.

    >>> baseline_of(["margin", "random_sampling", "random_throughout"])
    'random_throughout'
    """
    return next((name for name in (THROUGHOUT, BASELINE) if name in names), None)


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
