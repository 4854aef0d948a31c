"""What choosing has saved, by the images of a run that were drawn at random: `oracle.control`.

A head is trained on the first labels and those drawn at random; others on the first labels and as
many chosen ones. All are measured on the same held-out images, so the difference is paired. Its
limits: the chosen ones were chosen by a model that knew all labels, and a few of a batch that was
meant to be taken whole may be worth less; the figure is that of few labels, not of all; one run
tells nothing of another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from alvision.core.records import AGAIN
from alvision.evaluation.metrics import Metric, bootstrap
from alvision.evaluation.outcomes import outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities

SLOT = "control"
"""The slot of an image that was drawn at random to compare with."""

LEAST = 10
"""Control labels from which on there is a comparison: with fewer the two heads hardly differ."""

DRAWS = 3
"""Draws of the chosen labels: one would leave to chance which of them are taken."""

_OTHERS = ("audit", *AGAIN)
"""Slots of images that nobody chose for what they teach."""

_RESAMPLES = 200
_ENDS = (2.5, 97.5)


def due(share: float, batch: int, round: int) -> int:
    """Return how many of a round's images are control ones, so that the sum keeps to the share.

    >>> [due(0.1, 15, round) for round in (1, 2, 3, 4)]
    [1, 2, 1, 2]
    """
    before, until = (int(share * batch * k + 1e-9) for k in (round - 1, round))
    return until - before


def equally_many(
    rows: Mapping[int, Sequence[tuple[str, str]]],
    known: Mapping[str, str],
    order: Callable[[int, str], Any],
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Split labels into those with the control images and those with as many chosen ones.

    Args:
        rows: What each round asked for: image and slot.
        known: The class of each image that may be trained on.
        order: A number for each (draw, image) that says which of the chosen ones are taken.

    Returns:
        The first labels with those of the control images; and, for each draw, the first labels with
        as many chosen ones of the same rounds.
    """
    by_round = {
        number: [(id, slot) for id, slot in own if id in known and slot not in _OTHERS]
        for number, own in rows.items()
    }
    counts = {k: sum(slot == SLOT for _, slot in own) for k, own in by_round.items()}
    compared = [k for k in by_round if counts[k]]
    later = {id for own in by_round.values() for id, slot in own} - {
        id for id, _ in by_round.get(0, ())
    }
    first = {id: name for id, name in known.items() if id not in later}
    control = {id: known[id] for k in compared for id, slot in by_round[k] if slot == SLOT}
    chosen = []
    for draw in range(DRAWS):
        taken = dict(first)
        for k in compared:
            ids = sorted(
                (id for id, slot in by_round[k] if slot != SLOT), key=lambda id: order(draw, id)
            )
            taken |= {id: known[id] for id in ids[: counts[k]]}
        chosen.append(taken)
    return first | control, chosen


def saving(
    random: ClassProbabilities,
    chosen: Sequence[ClassProbabilities],
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    metric: Metric,
    defects: Sequence[str] | None = None,
) -> dict[str, float] | None:
    """Return `value`, `low` and `high` of what choosing gained over random; None: not known.

    The mean over the draws of metric(chosen) - metric(random); a bootstrap draws held-out images,
    the same ones for all models.
    """
    from alvision.evaluation.intervals import resample  # its scipy would delay the first page

    models = [
        outcomes_of(one, labels, classes=classes, defects=defects) for one in (random, *chosen)
    ]
    values = [metric.of(one) for one in models]
    if not values or None in values:
        return None
    draws = resample(len(models[0]), resamples=_RESAMPLES)
    scores = np.array([bootstrap(metric, one, draws) for one in models])
    differences = np.nanmean(scores[1:], axis=0) - scores[0]
    low, high = np.nanpercentile(differences, _ENDS)
    value = float(np.mean([v for v in values[1:] if v is not None])) - float(values[0] or 0)
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


def labels_saved(
    first: ClassProbabilities,
    random: ClassProbabilities,
    chosen: Sequence[ClassProbabilities],
    count: int,
    labels: Mapping[str, str],
    *,
    classes: Sequence[str],
    metric: Metric,
    defects: Sequence[str] | None = None,
) -> dict[str, float] | None:
    """Return `value`, `low` and `high` of the labels saved by choosing; None: not known.

    Where the chosen labels gave more, they are those that were not needed to reach the score of the
    random ones; where they gave less, as many random ones count as lost. Between the first labels
    and all of either kind the score is taken to rise in a straight line. Curves rise faster at
    first, so the better kind is rather better than this says. A bootstrap draws held-out images,
    the same ones for all models.

    Args:
        first: What the head of the first labels says of the held-out images.
        random: What that of the random ones besides says.
        chosen: What those of as many chosen ones say.
        count: Random labels, and chosen ones.
        labels: The classes of the held-out images.
        classes: The classes.
        metric: The metric.
        defects: The classes that are defects.
    """
    from alvision.evaluation.intervals import resample  # its scipy would delay the first page

    predictions = [first, random, *chosen]
    models = [outcomes_of(one, labels, classes=classes, defects=defects) for one in predictions]
    values = [metric.of(one) for one in models]
    if not chosen or None in values:
        return None
    draws = resample(len(models[0]), resamples=_RESAMPLES)
    scores = np.array([bootstrap(metric, one, draws) for one in models])
    low, high = np.nanpercentile(_saved(scores, count), _ENDS)
    value = float(_saved(np.array(values, float)[:, None], count)[0])
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


def _saved(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the labels saved for each column of scores: first, random and chosen ones."""
    first, random, chosen = scores[0], scores[1], scores[2:].mean(axis=0)
    rise = np.maximum(np.maximum(random, chosen) - first, 1e-9)
    return count * np.clip((chosen - random) / rise, -1, 1)
