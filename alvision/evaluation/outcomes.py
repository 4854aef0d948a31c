"""The held-out images that have both a prediction and a label: what every metric is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from alvision.core.errors import UserError
from alvision.evaluation.probabilities import ClassProbabilities


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The images that have both a prediction and a label: N images, C classes.

    Attributes:
        probabilities: [N, C], float64.
        truth: The labelled class of each image by its number, [N].
        called: The most probable class of each image (ties: the first), [N].
        classes: Names of the classes, C of them.
        defective: Which classes are defects, bool [C]; all False where none is named.
    """

    probabilities: np.ndarray
    truth: np.ndarray
    called: np.ndarray
    classes: tuple[str, ...]
    defective: np.ndarray

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Outcomes:
        """Return some of the images, [n] row numbers; a row may come more than once."""
        return replace(
            self,
            probabilities=self.probabilities[rows],
            truth=self.truth[rows],
            called=self.called[rows],
        )

    @cached_property
    def confusion(self) -> np.ndarray:
        """Return the counts [C, C]: rows by label, columns by called class."""
        table = np.zeros((len(self.classes), len(self.classes)), dtype=np.int64)
        np.add.at(table, (self.truth, self.called), 1)
        return table

    def confusions(self, draws: np.ndarray) -> np.ndarray:
        """Return the confusion table of each of S resamples, [S, C, C]; `draws` are rows [S, n]."""
        cells = len(self.classes) ** 2
        pairs = (self.truth * len(self.classes) + self.called)[draws]
        shifted = pairs + cells * np.arange(len(draws))[:, None]
        counts = np.bincount(shifted.ravel(), minlength=cells * len(draws))
        return counts.reshape(len(draws), len(self.classes), len(self.classes))


def outcomes_of(
    probabilities: ClassProbabilities,
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    defects: Sequence[str] | None = None,
) -> Outcomes:
    """Join predictions and labels by image; images that lack either are left out.

    Raises:
        UserError: A label or a defect that `classes` does not name.
    """
    numbers = {name: k for k, name in enumerate(classes)}
    _refuse_unknown(numbers, {labels[i] for i in probabilities.ids if i in labels}, "labels use")
    _refuse_unknown(numbers, set(defects or ()), "defects name")
    rows = [row for row, id in enumerate(probabilities.ids) if id in labels]
    values = probabilities.onto(classes).values[rows].astype(np.float64)
    truth = np.array([numbers[labels[probabilities.ids[row]]] for row in rows], dtype=np.int64)
    return Outcomes(
        probabilities=values,
        truth=truth,
        called=values.argmax(axis=1) if rows else truth,
        classes=tuple(classes),
        defective=np.array([name in (defects or ()) for name in classes], dtype=bool),
    )


def _refuse_unknown(numbers: Mapping[str, int], named: set[str], who: str) -> None:
    unknown = sorted(named - numbers.keys())
    if unknown:
        raise UserError(
            f"{who} {', '.join(unknown)}, but classes are {', '.join(numbers)}: add to classes"
        )
