"""A round's numbers under the names that every logger has them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alvision.evaluation.metrics import METRICS, Metric, metric_names

BUDGET = ("labels", "answers", "seconds")


def scalars(metrics: Mapping[str, Any], known: Sequence[Metric] = METRICS) -> dict[str, float]:
    """Return what metrics.json knows of a round as numbers by name; what is unknown is left out.

    Args:
        metrics: The content of metrics.json.
        known: The metrics of the run.

    >>> scalars({"round": 2, "labels": 40, "macro_f1": 0.5, "escape_rate": None})
    {'metrics/macro_f1': 0.5, 'budget/labels': 40.0}
    """
    groups = {"metrics": metric_names(known), "budget": BUDGET}
    found = {
        f"{group}/{name}": float(metrics[name])
        for group, names in groups.items()
        for name in names
        if metrics.get(name) is not None
    }
    for name, scores in (metrics.get("per_class") or {}).items():
        if scores.get("f1") is not None:
            found[f"f1 by class/{name}"] = float(scores["f1"])
    return found
