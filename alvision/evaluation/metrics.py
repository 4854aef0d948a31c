"""Metrics as pure functions of predictions and labels; positive = defective.

A metric is one object: its name is a column of metrics.csv, its function takes `Outcomes`. The run,
the study, the labelling page and the reports all read `METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alvision.core.doors import build
from alvision.core.errors import UserError
from alvision.evaluation.outcomes import Outcomes as Outcomes
from alvision.evaluation.outcomes import outcomes_of as outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities


class MetricFunction(Protocol):
    """What a metric computes."""

    def __call__(self, outcomes: Outcomes, /) -> float | None:
        """Return the metric of N > 0 images; None where it cannot be known."""


class Resampled(Protocol):
    """A metric of many resamples at once."""

    def __call__(self, outcomes: Outcomes, draws: np.ndarray, /) -> np.ndarray:
        """Return the metric of each resample, [S]; `draws` are row numbers, [S, n]."""


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Attributes:
        name: Its column in metrics.csv, its key in metrics.json and its value of `target.metric`.
        title: Its name in a sentence.
        function: Computes it; None for a metric of which only recorded values are known.
        higher_is_better: A study can compare strategies by it.
        needs_defects: It is known only where defective and good images are both there.
        resampled: The same for many resamples at once, for speed; None: one after another.
    """

    name: str
    title: str
    function: MetricFunction | None
    higher_is_better: bool
    needs_defects: bool = False
    resampled: Resampled | None = None

    def of(self, outcomes: Outcomes) -> float | None:
        """Return the metric's value; None where it cannot be known."""
        if self.function is None:
            raise ValueError(f"{self.name} was recorded, so its function is not known")
        if not len(outcomes):
            return None
        if self.needs_defects:
            bad = outcomes.defective[outcomes.truth]
            if bad.all() or not bad.any():
                return None
        value = self.function(outcomes)
        return None if value is None else float(value)


def bootstrap(metric: Metric, outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    """Return a metric of S resamples of the images, [S]; nan where it cannot be known.

    Args:
        metric: The metric.
        outcomes: N images.
        draws: Row numbers of the resamples, [S, n]; see `intervals.resample`.
    """
    if metric.resampled is not None and len(outcomes):
        return np.asarray(metric.resampled(outcomes, draws))
    values = [metric.of(outcomes.take(rows)) for rows in draws]
    return np.array([np.nan if value is None else value for value in values])


def accuracy(outcomes: Outcomes) -> float:
    """Return the share of images that are called by their label."""
    return float(np.mean(outcomes.truth == outcomes.called))


def balanced_accuracy(outcomes: Outcomes) -> float:
    """Return the mean recall of the classes that the labels hold."""
    return _mean_of_labelled(_recalls(outcomes.confusion), outcomes.confusion)


def macro_f1(outcomes: Outcomes) -> float:
    """Return the mean F1 of the classes that the labels hold, F1 = 2 TP / (2 TP + FP + FN)."""
    return _mean_of_labelled(_f1s(outcomes.confusion), outcomes.confusion)


def average_precision(outcomes: Outcomes) -> float | None:
    """Return the mean average precision of the labelled classes, each against the rest.

    With two classes of which one is a defect, it is that of the defect probability. None with
    fewer than two classes labelled.
    """
    from sklearn.metrics import average_precision_score  # takes seconds to import

    truth, values = outcomes.truth, outcomes.probabilities
    present = np.unique(truth)
    if len(present) < 2:
        return None
    if (defect := _only_defect(outcomes)) is not None:
        present = np.array([defect])
    return float(np.mean([average_precision_score(truth == k, values[:, k]) for k in present]))


def ece(outcomes: Outcomes) -> float:
    """Return the expected calibration error of the called class."""
    confidence = outcomes.probabilities.max(axis=1)
    return expected_calibration_error(confidence, outcomes.truth == outcomes.called)


def escape_rate(outcomes: Outcomes) -> float:
    """Return the share of defective images that are called good, FN / (FN + TP)."""
    bad = outcomes.defective[outcomes.truth]
    return float(np.mean(~outcomes.defective[outcomes.called[bad]]))


def overkill_rate(outcomes: Outcomes) -> float:
    """Return the share of good images that are called defective, FP / (FP + TN)."""
    bad = outcomes.defective[outcomes.truth]
    return float(np.mean(outcomes.defective[outcomes.called[~bad]]))


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = 15
) -> float:
    """Return the expected calibration error of the called class, ECE (arXiv 1706.04599).

    ECE = sum_b n_b / N · |accuracy_b - mean confidence_b| over bins of equal width
    ((b - 1) / bins, b / bins].

    Args:
        confidence: Probability of the called class, [N], N > 0.
        correct: Whether that class is the true one, [N].
        bins: Number of bins; 15 is the paper's.

    >>> expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([1, 1, 1, 0]))
    0.0
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _recalls(tables: np.ndarray) -> np.ndarray:
    """Return the recall of each class, [..., C], from [..., C, C]; 0 where none is labelled."""
    hits, support = np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(-1)
    return hits / np.maximum(support, 1)


def _f1s(tables: np.ndarray) -> np.ndarray:
    """Return the F1 of each class, [..., C], from [..., C, C]; 0 where none is labelled."""
    hits, support, called = np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(-1), tables.sum(-2)
    return 2 * hits / np.maximum(support + called, 1)


def _mean_of_labelled(scores: np.ndarray, table: np.ndarray) -> float:
    return float(scores[table.sum(-1) > 0].mean())


def _means_of_labelled(scores: np.ndarray, tables: np.ndarray) -> np.ndarray:
    labelled = tables.sum(-1) > 0
    return np.where(labelled, scores, 0).sum(-1) / labelled.sum(-1)


def _balanced_accuracies(outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    tables = outcomes.confusions(draws)
    return _means_of_labelled(_recalls(tables), tables)


def _macro_f1s(outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    tables = outcomes.confusions(draws)
    return _means_of_labelled(_f1s(tables), tables)


def _only_defect(outcomes: Outcomes) -> int | None:
    """Return the defect's number where there are two classes and one of them is a defect."""
    if len(outcomes.defective) != 2 or outcomes.defective.sum() != 1:
        return None
    return int(np.flatnonzero(outcomes.defective)[0])


def _average_precisions(outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    """Return the average precision of each resample, each image weighted by how often it came.

    Sorting once for all resamples takes milliseconds where scikit-learn takes seconds.
    """
    size, count = len(outcomes), len(outcomes.classes)
    shifted = draws + size * np.arange(len(draws))[:, None]
    weights = np.bincount(shifted.ravel(), minlength=size * len(draws)).reshape(-1, size)
    labelled = np.stack([weights[:, outcomes.truth == k].sum(1) > 0 for k in range(count)], axis=1)
    found = np.stack([_weighted_precision(outcomes, k, weights) for k in range(count)], axis=1)
    if (defect := _only_defect(outcomes)) is not None:
        value = found[:, defect]
    else:
        value = np.where(labelled, found, 0).sum(1) / labelled.sum(1)
    return np.where(labelled.sum(1) < 2, np.nan, value)


def _weighted_precision(outcomes: Outcomes, k: int, weights: np.ndarray) -> np.ndarray:
    """Return sum over thresholds of (R_n - R_(n-1)) · P_n of class k, [S]; weights are [S, N]."""
    values = outcomes.probabilities[:, k]
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=-1.0))  # images of one value come together
    hits = np.cumsum(weights[:, order] * (outcomes.truth[order] == k), axis=1)[:, ends]
    called = np.cumsum(weights[:, order], axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    return (gained * hits / np.maximum(called, 1)).sum(1) / np.maximum(hits[:, -1], 1)


def _accuracies(outcomes: Outcomes, draws: np.ndarray) -> np.ndarray:
    return (outcomes.truth == outcomes.called)[draws].mean(axis=1)


METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "accuracy", accuracy, higher_is_better=True, resampled=_accuracies),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        balanced_accuracy,
        higher_is_better=True,
        resampled=_balanced_accuracies,
    ),
    Metric("macro_f1", "macro-F1", macro_f1, higher_is_better=True, resampled=_macro_f1s),
    Metric(
        "average_precision",
        "average precision",
        average_precision,
        higher_is_better=True,
        resampled=_average_precisions,
    ),
    Metric("ece", "calibration error", ece, higher_is_better=False),
    Metric("escape_rate", "escape rate", escape_rate, higher_is_better=False, needs_defects=True),
    Metric(
        "overkill_rate", "overkill rate", overkill_rate, higher_is_better=False, needs_defects=True
    ),
)
"""The metrics in the order of metrics.csv."""


TAKEN = ("round", "labels", "answers", "seconds", "cold_start", "n", "per_class", "confusion",
         "interval", "pool", "signals", "control", "saved", "audit")  # fmt: skip
"""Keys of metrics.json beside the metrics, which no metric may be called."""


def metrics_of(nodes: Sequence[Mapping[str, Any]] | None) -> tuple[Metric, ...]:
    """Return the shipped metrics and then the user's own, as the setting `metrics` names them.

    Args:
        nodes: Plain data with `_target_`, each of which gives a `Metric`; None: no own ones.

    Raises:
        UserError: A node gives something else, or a name that cannot be a column of metrics.csv.
    """
    found = list(METRICS)
    if nodes is not None and not isinstance(nodes, list | tuple):
        raise UserError("metrics= is a list: metrics=[{_target_: my_metrics.worst_recall}]")
    for node in nodes or ():
        own = build(node, "metrics")
        if not isinstance(own, Metric) or own.function is None:
            raise UserError(
                f"metrics: {node['_target_']} gave a {type(own).__name__}, but a metric is an "
                "alvision.evaluation.metrics.Metric with a function"
            )
        if not own.name.isidentifier() or own.name in (*metric_names(found), *TAKEN):
            raise UserError(f"metrics: {own.name!r} is taken or is no name of letters and _")
        found.append(own)
    return tuple(found)


def described(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Return the user's own among some metrics as plain data, for a run's experiment.yaml."""
    return [
        {
            "name": own.name,
            "title": own.title,
            "higher_is_better": own.higher_is_better,
            "needs_defects": own.needs_defects,
        }
        for own in metrics
        if own not in METRICS
    ]


def recorded(entries: Sequence[Mapping[str, Any]] | None) -> tuple[Metric, ...]:
    """Return the metrics of a finished run: the shipped ones and those that `described` noted.

    Their values are in the run's files, so a report needs no code of the user's.
    """
    return METRICS + tuple(Metric(function=None, **entry) for entry in entries or ())


def metric(name: str, metrics: Sequence[Metric] = METRICS) -> Metric:
    """Return a metric by its name.

    Raises:
        UserError: There is none of that name.

    >>> metric("macro_f1").title
    'macro-F1'
    """
    for candidate in metrics:
        if candidate.name == name:
            return candidate
    raise UserError(f"{name} is no metric; choose one of {', '.join(metric_names(metrics))}")


def metric_names(metrics: Sequence[Metric] = METRICS) -> tuple[str, ...]:
    """Return the names of metrics, in their order: the columns of metrics.csv."""
    return tuple(known.name for known in metrics)


def comparable(metrics: Sequence[Metric] = METRICS) -> tuple[str, ...]:
    """Return the names of the metrics that a study can compare strategies by."""
    return tuple(known.name for known in metrics if known.higher_is_better)


def evaluate(
    probabilities: ClassProbabilities,
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    defects: Sequence[str] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> dict[str, Any]:
    """Compute every metric on the images that have both a prediction and a label.

    An image is called by its most probable class; it is called defective if that class is one of
    `defects`. A class that nobody has labelled yet counts neither way.

    Returns:
        Plain JSON values: `n` (images used), each metric by its name, `per_class`: {class:
        {support, precision, recall, f1}}, and `confusion`: counts [C, C] in the order of `classes`,
        rows by label and columns by called class. What cannot be known is None: all of it where n
        is 0, escape and overkill rate without `defects` or without images of both kinds.

    Raises:
        UserError: A label or a defect that `classes` does not name.

    >>> p = ClassProbabilities(("a", "b"), ("ok", "worn"), np.array([[0.9, 0.1], [0.6, 0.4]]))
    >>> m = evaluate(p, {"a": "ok", "b": "worn"}, classes=["ok", "worn"], defects=["worn"])
    >>> m["accuracy"], m["escape_rate"], m["average_precision"]
    (0.5, 1.0, 1.0)
    """
    outcomes = outcomes_of(probabilities, labels, classes=classes, defects=defects)
    return {
        "n": len(outcomes),
        **{one.name: one.of(outcomes) for one in metrics},
        "per_class": {name: _of_class(outcomes.confusion, k) for k, name in enumerate(classes)},
        "confusion": outcomes.confusion.tolist(),
    }


def _of_class(confusion: np.ndarray, k: int) -> dict[str, Any]:
    hits, support, called = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
    return {
        "support": int(support),
        "precision": float(hits / called) if called else None,
        "recall": float(hits / support) if support else None,
        "f1": float(2 * hits / (support + called)) if support else None,
    }
