"""Figures of audit images: people label them a few at a time, so at first there is none to give.

A round's `metrics.json` is the one place of a figure; the terminal, the page, the report and the
loggers repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alvision.evaluation.metrics import METRICS, TAKEN, Metric, bootstrap, evaluate
from alvision.evaluation.outcomes import Outcomes, outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities

LEAST_IMAGES = 20
"""With fewer, an interval of 95 % is wider than .4: it tells no model from another."""

LEAST_CLASSES = 2
"""With one class, a model that always says it looks perfect."""

INTERVAL = "interval"
"""The key of metrics.json that holds the interval of the target metric, [low, high]."""

AUDIT = "audit"
"""The key of metrics.json that holds what `audit_rates` says: each rate as plain data."""

# The ends of a 95 % interval move by less than a pixel of the curve with more draws than these.
_RESAMPLES = 200
_TAIL = 0.025


def too_few(metrics: Mapping[str, Any], noun: str = "audit image") -> str | None:
    """Say why labelled audit images give no figure; None where there are enough.

    Args:
        metrics: What `evaluate` returns.
        noun: What the images are called.

    >>> too_few({"n": 3, "per_class": {"ok": {"support": 3}}})
    '3 audit images: too few to say'
    """
    count = metrics.get("n") or 0
    if not count:
        return f"no {noun} is labelled yet"
    images = f"{count} {noun}{'s' if count > 1 else ''}"
    if count < LEAST_IMAGES:
        return f"{images}: too few to say"
    labelled = [name for name, one in metrics.get("per_class", {}).items() if one["support"]]
    if len(labelled) < LEAST_CLASSES:
        return f"{images}, all of them {', '.join(labelled)}: too few to say"
    return None


def withheld(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics whose figures are None where there are too few images for one."""
    if too_few(metrics) is None:
        return dict(metrics)
    kept = {name: value if name in TAKEN else None for name, value in metrics.items()}
    for name in (INTERVAL, AUDIT):
        kept.pop(name, None)
    if "per_class" in metrics:
        kept["per_class"] = {
            name: {key: value if key == "support" else None for key, value in scores.items()}
            for name, scores in metrics["per_class"].items()
        }
    return kept


def evaluate_audit(
    probabilities: ClassProbabilities,
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    target: Metric,
    defects: Sequence[str] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> dict[str, Any]:
    """Return what `evaluate` does, with the interval of the target metric, or without figures.

    Args:
        probabilities: The predictions.
        labels: The classes of the audit images that have one.
        classes: The classes.
        target: The metric that the run aims at.
        defects: Which classes are defects.
        metrics: The metrics.
    """
    found = evaluate(probabilities, labels, classes=classes, defects=defects, metrics=metrics)
    if too_few(found) is None and found.get(target.name) is not None:
        outcomes = outcomes_of(probabilities, labels, classes=classes, defects=defects)
        found[INTERVAL] = list(interval(target, outcomes))
    return withheld(found)


def interval(metric: Metric, outcomes: Outcomes) -> tuple[float, float]:
    """Return the 95 % interval of a metric of N images that is known.

    It is the percentile interval of a bootstrap. Where every draw gives the same value, as when
    all images are called right, it is widened towards the middle by 1 - .025^(1/N): so many could
    be wrong and not one of N shows it (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).
    """
    from alvision.evaluation.intervals import resample  # its scipy would delay the first page

    value = metric.of(outcomes)
    assert value is not None
    draws = bootstrap(metric, outcomes, resample(len(outcomes), resamples=_RESAMPLES))
    draws = draws[~np.isnan(draws)]
    draws = draws if len(draws) else np.array([value])
    low, high = np.percentile(draws, [100 * _TAIL, 100 * (1 - _TAIL)])
    if low == high:
        unseen = 1 - _TAIL ** (1 / _images(metric, outcomes))
        low, high = (low - unseen, high) if value > 0.5 else (low, high + unseen)
    return float(low), float(high)


def _images(metric: Metric, outcomes: Outcomes) -> int:
    """Return how many images a metric is about, at least."""
    if not metric.needs_defects:
        return len(outcomes)
    bad = int(outcomes.defective[outcomes.truth].sum())
    return min(bad, len(outcomes) - bad)
