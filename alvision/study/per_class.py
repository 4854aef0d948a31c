"""What the rounds' metrics.json tell beside the curves: every class, and the seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError


@dataclass(frozen=True, eq=False)
class Details:
    """Scores of each class and the time of the answers: S seeds, R rounds, C classes.

    Attributes:
        classes: Names.
        support: Held-out images of each class, [S, C]; they are the same for all acquisitions.
        f1: F1 by acquisition, [S, R, C] each; NaN where no image of the class is held out.
        recall: Recall, the same.
        seconds: Seconds that the answers took so far, by acquisition, [S, R] each; None where the
            runs do not know.
    """

    classes: tuple[str, ...]
    support: np.ndarray
    f1: Mapping[str, np.ndarray]
    recall: Mapping[str, np.ndarray]
    seconds: Mapping[str, np.ndarray] | None = None

    @property
    def rarest(self) -> str | None:
        """Return the class with the fewest held-out images over all seeds, of those that have any.

        None if there is only one, or if the rarest is as frequent as the next.
        """
        totals = sorted((n, k) for k, n in enumerate(self.support.sum(axis=0)) if n)
        if len(totals) < 2 or totals[0][0] == totals[1][0]:
            return None
        return self.classes[totals[0][1]]


def read_details(
    runs: Mapping[str, Sequence[Path]], rounds: int, classes: Sequence[str]
) -> Details | None:
    """Read every round of every run; None if a file is not there.

    Args:
        runs: The runs' folders by acquisition, one for each seed.
        rounds: R.
        classes: Names of the classes.

    Raises:
        UserError: A file is damaged.
    """
    files = {
        name: [
            [folder / "rounds" / f"{number:03d}" / "metrics.json" for number in range(rounds)]
            for folder in folders
        ]
        for name, folders in runs.items()
    }
    if not all(file.exists() for lists in files.values() for row in lists for file in row):
        return None
    found = {
        name: [[_read(file) for file in row] for row in lists] for name, lists in files.items()
    }
    first = next(iter(found.values()))
    seconds = {
        name: np.array([[_number(cell, "seconds") for cell in row] for row in lists])
        for name, lists in found.items()
    }
    return Details(
        classes=tuple(classes),
        support=np.nan_to_num([_of(row[0], classes, "support") for row in first]),
        f1=_stack(found, classes, "f1"),
        recall=_stack(found, classes, "recall"),
        seconds=None if any(np.isnan(part).any() for part in seconds.values()) else seconds,
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{file} is damaged; delete it and run the same compare again") from None


def _stack(
    found: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], classes: Sequence[str], what: str
) -> dict[str, np.ndarray]:
    return {
        name: np.array([[_of(cell, classes, what) for cell in row] for row in lists])
        for name, lists in found.items()
    }


def _of(metrics: Mapping[str, Any], classes: Sequence[str], what: str) -> list[float]:
    scores = metrics.get("per_class") or {}
    return [_number(scores.get(name) or {}, what) for name in classes]


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key)
    return np.nan if value is None else float(value)
