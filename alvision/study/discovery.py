"""How soon the defects of the pool are found: labels until half, and 80 %, of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alvision.evaluation.curves import Band, band
from alvision.study.collect import Study
from alvision.study.found_defects import Found
from alvision.study.statistics import LEVEL, Ratio, label_ratio, paired_tests

SHARES = (0.5, 0.8)
"""Shares of the pool's defects that labels are counted to."""


@dataclass(frozen=True)
class DiscoveryRow:
    """Labels until a share of the pool's defects is found, by one acquisition function.

    Attributes:
        acquisition: Its name.
        share: The share.
        labels: Labels of each seed whose pool has a defect; None where the run ended before.
        given: Labels that each of these seeds gave in all.
        median: Median over the seeds, if all that it rests on got there; else the least that it
            can be.
        censored: Whether `median` is such a bound.
        ratio: Labels of the baseline / labels of this one; None for the baseline, and where both
            have seeds that never get there.
        p_value: Of the logarithm of that ratio by sign flips, paired by seed, a run that ended
            before counting with all of its labels; after Holm over acquisitions and shares. None
            for the baseline, and where too few seeds could show anything.
        fewer: Shown to need fewer labels than the baseline.
    """

    acquisition: str
    share: float
    labels: tuple[float | None, ...]
    given: tuple[float, ...]
    median: float
    censored: bool
    ratio: Ratio | None = None
    p_value: float | None = None
    fewer: bool = False

    @property
    def reached(self) -> int:
        """Return the number of seeds that got there."""
        return sum(labels is not None for labels in self.labels)

    @property
    def text(self) -> str:
        """Write the median; what a run did not reach is said as more than that.

        >>> DiscoveryRow("margin", 0.5, (None,), (260.0,), 260.0, True).text
        '>260'
        """
        return f"{'>' * self.censored}{self.median:g}"


def labels_until(found: Found, name: str, share: float) -> tuple[float | None, ...]:
    """Return the labels until a share of the defects is found; None: not within the run.

    Seeds whose pool has no defect are left out.
    """
    return tuple(
        float(hits[wanted - 1]) if len(hits) >= wanted else None
        for hits, total in zip(found.hits[name], found.totals, strict=True)
        if total
        for wanted in [math.ceil(share * total - 1e-9)]
    )


def discovery_rows(study: Study) -> tuple[DiscoveryRow, ...]:
    """Return a row for each share and acquisition; none where no defects are known."""
    found = study.found
    if found is None or not found.totals.any():
        return ()
    given = {name: tuple(map(float, ends[found.totals > 0])) for name, ends in found.labels.items()}
    keys = [(name, share) for share in SHARES for name in study.acquisitions]
    labels = {key: labels_until(found, *key) for key in keys}
    least = {key: _least(labels[key], given[key[0]]) for key in keys}
    base = study.baseline
    others = [key for key in keys if base and key[0] != base]
    differences = {key: np.log(least[base or "", key[1]] / least[key]) for key in others}
    p_values = dict(zip(others, paired_tests(list(differences.values())), strict=True))
    rows = []
    for name, share in keys:
        key = (name, share)
        median, p_value = float(np.median(least[key])), p_values.get(key)
        ratio = None
        if key in differences:
            ratio = label_ratio(
                labels[base or "", share],
                labels[key],
                least[base or "", share].tolist(),
                least[key].tolist(),
            )
        rows.append(
            DiscoveryRow(
                acquisition=name,
                share=share,
                labels=labels[key],
                given=given[name],
                median=median,
                censored=not np.isfinite(
                    np.median([math.inf if one is None else one for one in labels[key]])
                ),
                ratio=ratio,
                p_value=p_value,
                fewer=p_value is not None
                and p_value <= LEVEL
                and bool(differences[key].mean() > 0),
            )
        )
    return tuple(rows)


def discovery_bands(study: Study) -> Mapping[str, Band]:
    """Return the mean share of the defects found, from no label on, with its 95 % band."""
    found = study.found
    if found is None or not found.totals.any():
        return {}
    kept = [place for place, total in enumerate(found.totals) if total]
    grids = [[0.0, *study.answers[place].tolist()] for place in kept]

    def shares(hits: Sequence[np.ndarray]) -> list[list[float]]:
        return [
            (np.searchsorted(hits[place], grid, side="right") / found.totals[place]).tolist()
            for place, grid in zip(kept, grids, strict=True)
        ]

    return {name: band(grids, shares(hits)) for name, hits in found.hits.items()}


def _least(labels: tuple[float | None, ...], given: tuple[float, ...]) -> np.ndarray:
    pairs = zip(labels, given, strict=True)
    return np.array([end if amount is None else amount for amount, end in pairs])
