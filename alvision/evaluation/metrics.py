"""Metrics as a pure function of predictions and labels; positive = defective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.evaluation.probabilities import ClassProbabilities

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "average_precision",
    "ece",
    "escape_rate",
    "overkill_rate",
)
"""Names of the metrics in the order of metrics.csv."""

HIGHER_IS_BETTER = METRICS[:4]
"""The metrics that a study can compare strategies by."""

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "average_precision": "average precision",
    "ece": "calibration error",
    "escape_rate": "escape rate",
    "overkill_rate": "overkill rate",
}
"""The metrics' names in a sentence."""


def evaluate(
    probabilities: ClassProbabilities,
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    defects: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Compute every metric on the images that have both a prediction and a label.

    Balanced accuracy, macro-F1 and average precision are means over the classes that the labels
    hold, so that a class nobody has labelled yet counts neither way. Average precision is one
    class against the rest; with two classes of which one is a defect, it is that of the defect
    probability. An image is called by its most probable class (ties: the first); it is called
    defective if that class is one of `defects`. Escape rate = FN / (FN + TP), overkill rate =
    FP / (FP + TN).

    Returns:
        Plain JSON values: `n` (images used), `METRICS`, `per_class`: {class: {support, precision,
        recall, f1}}, and `confusion`: counts [C, C] in the order of `classes`, rows by label and
        columns by called class. What cannot be known is None: all of it where n is 0, average
        precision with fewer than two classes labelled, escape and overkill rate without `defects`
        or without images of both kinds.

    Raises:
        UserError: A label or a defect that `classes` does not name.

    >>> p = ClassProbabilities(("a", "b"), ("ok", "worn"), np.array([[0.9, 0.1], [0.6, 0.4]]))
    >>> m = evaluate(p, {"a": "ok", "b": "worn"}, classes=["ok", "worn"], defects=["worn"])
    >>> m["accuracy"], m["escape_rate"], m["average_precision"]
    (0.5, 1.0, 1.0)
    """
    numbers = {name: k for k, name in enumerate(classes)}
    _refuse_unknown(numbers, {labels[i] for i in probabilities.ids if i in labels}, "labels use")
    _refuse_unknown(numbers, set(defects or ()), "defects name")
    rows = [row for row, id in enumerate(probabilities.ids) if id in labels]
    values = probabilities.onto(classes).values[rows].astype(np.float64)
    truth = np.array([numbers[labels[probabilities.ids[row]]] for row in rows], dtype=np.int64)
    called = values.argmax(axis=1) if rows else truth
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (truth, called), 1)
    per_class = {name: _of_class(confusion, k) for name, k in numbers.items()}
    result: dict[str, Any] = {
        "n": len(rows),
        **dict.fromkeys(METRICS),
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }
    if not rows:
        return result
    present = [scores for scores in per_class.values() if scores["support"]]
    defective = np.array([name in (defects or ()) for name in classes])
    result["accuracy"] = float(np.mean(truth == called))
    result["balanced_accuracy"] = float(np.mean([scores["recall"] for scores in present]))
    result["macro_f1"] = float(np.mean([scores["f1"] for scores in present]))
    result["average_precision"] = _average_precision(values, truth, defective)
    result["ece"] = expected_calibration_error(values.max(axis=1), truth == called)
    if defective[truth].any() and not defective[truth].all():
        result["escape_rate"] = float(np.mean(~defective[called[defective[truth]]]))
        result["overkill_rate"] = float(np.mean(defective[called[~defective[truth]]]))
    return result


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = 15
) -> float:
    """Return the expected calibration error of the called class, ECE (arXiv 1706.04599).

    ECE = sum_b n_b / N · |accuracy_b - mean confidence_b| over bins of equal width
    ((b - 1) / bins, b / bins].

    Args:
        confidence: Probability of the called class, [N], N > 0.
        correct: Whether that class is the true one, [N].
        bins: Number of bins.

    >>> expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([1, 1, 1, 0]))
    0.0
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _refuse_unknown(numbers: Mapping[str, int], names: set[str], who: str) -> None:
    unknown = sorted(names - numbers.keys())
    if unknown:
        raise UserError(
            f"{who} {', '.join(unknown)}, but classes are {', '.join(numbers)}: add to classes"
        )


def _of_class(confusion: np.ndarray, k: int) -> dict[str, Any]:
    hits, support, called = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
    return {
        "support": int(support),
        "precision": float(hits / called) if called else None,
        "recall": float(hits / support) if support else None,
        "f1": float(2 * hits / (support + called)) if support else None,
    }


def _average_precision(
    values: np.ndarray, truth: np.ndarray, defective: np.ndarray
) -> float | None:
    from sklearn.metrics import average_precision_score  # takes seconds to import

    present = np.unique(truth)
    if len(present) < 2:
        return None
    if len(defective) == 2 and defective.sum() == 1:
        present = np.flatnonzero(defective)
    return float(np.mean([average_precision_score(truth == k, values[:, k]) for k in present]))
