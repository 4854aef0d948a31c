"""What a round's predictions say beside their metrics: what was gained, and what has settled.

All of it is computed on the held-out images: a random sample of the same parts as the pool, never
trained on and never chosen. What needs no label is computed on all of them. `loop.run` writes it
into metrics.json, so that a sentence about a run is a function of its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alvision.evaluation.audit import INTERVAL, interval, too_few
from alvision.evaluation.metrics import Metric, bootstrap
from alvision.evaluation.outcomes import Outcomes, outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities

ROUNDS_BACK = 6
"""Earlier rounds that a round is compared with: a trend is told by the last three, how long it has
been flat by some more; each costs a bootstrap."""

# As many as `evaluation.audit` draws for an interval, and for the same reason.
_RESAMPLES = 200
_ENDS = (2.5, 97.5)


def signals(
    now: ClassProbabilities,
    labels: Mapping[str, str],
    earlier: Sequence[tuple[int, ClassProbabilities]],
    *,
    classes: Sequence[str],
    metric: Metric,
    defects: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the signals of a round as plain data.

    Args:
        now: The round's predictions for the held-out images.
        labels: The classes of the held-out images that have one.
        earlier: The rounds before, the latest first: labels trained on, and predictions.
        classes: The classes.
        metric: The metric that the run aims at.
        defects: Which classes are defects.

    Returns:
        `agreement`, `uncertainty`, `expected_error` (see the functions); where there are enough
        labels, also `interval` of the metric and `gains`: for each earlier round its `labels`, and
        the `value`, `low` and `high` of what the metric gained since. Empty where nothing is held
        out.
    """
    if not len(now):
        return {}
    found: dict[str, Any] = {
        "agreement": agreement(earlier[0][1], now) if earlier else None,
        "uncertainty": uncertainty(now),
        "expected_error": expected_error(now),
    }
    outcomes = outcomes_of(now, labels, classes=classes, defects=defects)
    support = outcomes.confusion.sum(axis=1).tolist()
    counted = {name: {"support": n} for name, n in zip(classes, support, strict=True)}
    if too_few({"n": len(outcomes), "per_class": counted}) or metric.of(outcomes) is None:
        return found
    found[INTERVAL] = list(interval(metric, outcomes))
    gains = []
    for count, before in earlier:
        past = outcomes_of(before, labels, classes=classes, defects=defects)
        if len(past) == len(outcomes):
            value, low, high = gain(metric, past, outcomes)
            gains.append({"labels": count, "value": value, "low": low, "high": high})
    return {**found, "gains": gains}


def agreement(before: ClassProbabilities, after: ClassProbabilities) -> float | None:
    """Return Cohen's kappa of what two models call the images that both have seen, -1..1.

    Models that agree more than by chance have settled (Bloodgood and Vijay-Shanker 2009, whose
    stop set needs no labels; arXiv 1409.5165). None where there is nothing to agree on: no common
    image, or both models call all of them by one and the same class.
    """
    earlier = dict(zip(before.ids, before.values.argmax(1).tolist(), strict=True))
    pairs = [
        (before.classes[earlier[id]], after.classes[column])
        for id, column in zip(after.ids, after.values.argmax(1).tolist(), strict=True)
        if id in earlier
    ]
    if not pairs:
        return None
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    same = float((first == second).mean())
    chance = sum(
        float((first == name).mean() * (second == name).mean()) for name in set(first) | set(second)
    )
    return None if chance >= 1 else (same - chance) / (1 - chance)


def uncertainty(predictions: ClassProbabilities) -> float:
    """Return the mean entropy of N images as a share of log C, 0..1 (Zhu, Wang and Hovy 2008).

    >>> round(uncertainty(ClassProbabilities(("a",), ("ok", "worn"), np.array([[0.5, 0.5]]))), 6)
    1.0
    """
    p = predictions.values.astype(np.float64)
    logs = np.log(p, where=p > 0, out=np.zeros_like(p))
    return float(-(p * logs).sum(axis=1).mean() / np.log(max(2, p.shape[1])))


def expected_error(predictions: ClassProbabilities) -> float:
    """Return the share of N images that a model expects to be wrong on: mean(1 - max p).

    It is true only of a calibrated model, so it is compared with itself, and with `uncertainty`.
    """
    return float(1 - predictions.values.astype(np.float64).max(axis=1).mean())


def gain(metric: Metric, before: Outcomes, after: Outcomes) -> tuple[float, float, float]:
    """Return what a metric gained from one model to another on the same N images, and its interval.

    The percentile interval of a bootstrap that draws images: both models are measured on the same
    draw, so an image that both get wrong moves neither. It speaks of these two models and says
    nothing of another seed. Where no image tells the models apart it is widened by 1 - .025^(1/N)
    both ways: a difference on so many images could have gone unseen.
    """
    from alvision.evaluation.intervals import resample  # its scipy would delay the first page

    draws = resample(len(after), resamples=_RESAMPLES)
    differences = bootstrap(metric, after, draws) - bootstrap(metric, before, draws)
    differences = differences[~np.isnan(differences)]
    value = float(metric.of(after) or 0) - float(metric.of(before) or 0)
    low, high = np.percentile(differences if len(differences) else [value], _ENDS)
    if low == high:
        unseen = 1 - 0.025 ** (1 / len(after))
        low, high = low - unseen, high + unseen
    return value, float(min(low, value)), float(max(high, value))
