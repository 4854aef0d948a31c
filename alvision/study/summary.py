"""The numbers of a comparison: one row for each acquisition function, and comparison.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alvision.core.rounds import write_atomically
from alvision.evaluation.curves import area, labels_to_target, least_labels
from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.classes import ClassRow, class_rows
from alvision.study.collect import BASELINE, Study
from alvision.study.discovery import DiscoveryRow, discovery_rows
from alvision.study.labelling_time import CostRow, cost_rows
from alvision.study.statistics import (
    LEVEL,
    Ratio,
    label_ratio,
    minimum_detectable_effect,
    paired_tests,
    seeds_needed,
)
from alvision.study.win_matrix import Pair, all_pairs

COLUMNS = (
    "acquisition",
    "seeds",
    "aubc_mean",
    "aubc_low",
    "aubc_high",
    "labels_to_target",
    "p_value",
)


@dataclass(frozen=True)
class AfterStart:
    """What an acquisition function gives once the first labels are there.

    Attributes:
        difference: Mean area minus that of random sampling after the same first labels, paired by
            seed, with its 95 % interval.
        p_value: Of that difference, by sign flips, after Holm over the acquisitions: one question
            of its own. None where too few seeds could show anything.
    """

    difference: Estimate
    p_value: float | None


@dataclass(frozen=True, eq=False)
class Row:
    """One acquisition function; every interval is a 95 % interval over seeds.

    Attributes:
        acquisition: Its name.
        areas: Area under the curve of each seed, [S].
        aubc: Mean area and its interval.
        labels: Labels to target of each seed; None where it is never reached.
        labels_to_target: Their mean; None if a seed never reaches it, or there is no target.
        difference: Mean area minus the baseline's, paired by seed; None for the baseline.
        p_value: Of that difference, by sign flips, after Holm; None for the baseline, and where
            there are too few seeds for any p-value to reach .05.
        ratio: Labels of the baseline / labels of this one; None for the baseline, without a
            target, or where both have seeds that never reach it.
        detectable: Mean difference that this design would find 4 times out of 5; None where it
            can find nothing.
        after_start: The same against random sampling after the same first labels; None where that
            is the baseline, or not part of the study.
    """

    acquisition: str
    areas: np.ndarray
    aubc: Estimate
    labels: tuple[float | None, ...]
    labels_to_target: float | None
    difference: Estimate | None = None
    p_value: float | None = None
    ratio: Ratio | None = None
    detectable: float | None = None
    after_start: AfterStart | None = None

    @property
    def seeds(self) -> int:
        """Return the number of seeds."""
        return len(self.areas)

    @property
    def missed(self) -> int:
        """Return the number of seeds that never reach the target."""
        return sum(labels is None for labels in self.labels)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A study in numbers.

    Attributes:
        study: The curves.
        rows: One for each acquisition, in the study's order.
        comparisons: Number of strategies compared with the baseline, m.
        seeds_needed: Fewest seeds with which m comparisons can reach a p-value of .05.
        pairs: Every two acquisitions, corrected over all pairs: the win matrix.
        classes: Every class under every acquisition; empty without the rounds' files.
        costs: Minutes of labelling, one row for each acquisition.
        discovery: Labels until a share of the pool's defects is found; empty where that is not
            known.
    """

    study: Study
    rows: tuple[Row, ...]
    comparisons: int
    seeds_needed: int
    pairs: tuple[Pair, ...]
    classes: tuple[ClassRow, ...]
    costs: tuple[CostRow, ...]
    discovery: tuple[DiscoveryRow, ...] = ()

    @property
    def baseline(self) -> Row | None:
        """Return the baseline's row, if it is part of the study."""
        return next((row for row in self.rows if row.acquisition == self.study.baseline), None)

    @property
    def others(self) -> tuple[Row, ...]:
        """Return the rows that are compared with the baseline."""
        return tuple(row for row in self.rows if row is not self.baseline)


def summarise(study: Study) -> Comparison:
    """Compute every row of a study; the same curves give the same numbers."""
    areas = {
        name: np.array([area(x, y) for x, y in zip(study.answers, values, strict=True)])
        for name, values in study.values.items()
    }
    labels = {
        name: tuple(labels_to_target(*curve) for curve in _curves(study, name))
        for name in study.acquisitions
    }
    others = study.others if study.baseline else ()
    differences = {name: areas[name] - areas[study.baseline or ""] for name in others}
    needed = seeds_needed(max(1, len(others)))
    corrected = dict(zip(others, paired_tests(list(differences.values())), strict=True))
    least = {
        name: tuple(least_labels(*curve) for curve in _curves(study, name))
        for name in study.acquisitions
    }
    after_start = _after_start(study, areas)
    rows = []
    for name in study.acquisitions:
        paired = differences.get(name)
        ratio = None
        if paired is not None and study.target is not None:
            base = study.baseline or ""
            ratio = label_ratio(labels[base], labels[name], least[base], least[name])
        reached = [x for x in labels[name] if x is not None]
        whole = bool(reached) and len(reached) == len(study.seeds)
        rows.append(
            Row(
                acquisition=name,
                areas=areas[name],
                aubc=mean_interval(areas[name]),
                labels=labels[name],
                labels_to_target=float(np.mean(reached)) if whole else None,
                difference=None if paired is None else mean_interval(paired),
                p_value=corrected.get(name),
                ratio=ratio,
                detectable=None
                if paired is None
                else minimum_detectable_effect(paired, comparisons=len(others)),
                after_start=after_start.get(name),
            )
        )
    return Comparison(
        study,
        tuple(rows),
        len(others),
        needed,
        all_pairs(areas),
        class_rows(study),
        cost_rows(study, labels, least),
        discovery_rows(study),
    )


def _after_start(study: Study, areas: Mapping[str, np.ndarray]) -> dict[str, AfterStart]:
    """Compare what shares its first labels with random sampling, by acquisition."""
    differences = {name: areas[name] - areas[BASELINE] for name in study.same_start}
    p_values = paired_tests(list(differences.values()))
    return {
        name: AfterStart(mean_interval(paired), p_value)
        for (name, paired), p_value in zip(differences.items(), p_values, strict=True)
    }


def significant(row: Row) -> bool:
    """Tell whether a row differs from the baseline at the level, after Holm."""
    return row.p_value is not None and row.p_value <= LEVEL


def write_csv(comparison: Comparison, path: Path) -> None:
    """Write comparison.csv; a blank where a number is not known."""

    def write(beside: Path) -> None:
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in comparison.rows:
                numbers = (row.aubc.value, row.aubc.low, row.aubc.high)
                cells = [*numbers, row.labels_to_target, row.p_value]
                texts = ["" if cell is None else f"{cell:.6g}" for cell in cells]
                writer.writerow([row.acquisition, row.seeds, *texts])

    write_atomically(path, write)


def _curves(study: Study, name: str) -> Iterator[tuple[list[float], list[float], float]]:
    """Yield answers, values and target of each seed; without a target one that nothing reaches."""
    target = np.full(len(study.seeds), np.inf) if study.target is None else study.target
    curves = (study.answers, study.values[name], target)
    return zip(*(part.tolist() for part in curves), strict=True)
