"""From the network's output to a verdict: probabilities, novelty, pass or reject.

`predict_script` copies `softmax`, `defect_scores`, `novelty`, `strangest` and `decide` into a
bundle's `predict.py`, so they use numpy and each other only, and the line decides as alvision does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

NEIGHBOURS = 5
"""Known images that a distance is averaged over: one mislabelled photograph must not decide."""
QUANTILE = 0.99
"""Share of the held-out images whose novelty is below 1: on a good day 1 part in 100 is `new`."""
FEWEST_HELD_OUT = 59
"""Held-out images below which nothing is called new: a quantile of few is hardly known.

Of images like them at most 5 in 100 are above the largest of 59, 95 % sure, because 0.95^59 < 0.05.
"""
FARTHEST = 2.0
"""The largest distance between directions: where it is the scale of novelty, nothing is new."""
STRANGEST = 0.1
"""Share of the places that make the novelty of an image that is compared with a memory."""
COLUMNS = ("class", "verdict", "defect_score", "novelty")
"""Columns of a row of `decide` before the probabilities."""
NO_NUMBERS = "the network gives no finite numbers for it"
"""Why there is no decision about an image that can be read."""


@dataclass(frozen=True)
class Decision:
    """The decision of a bundle about one image.

    Attributes:
        class_name: The likeliest class.
        verdict: `pass`, `human` or `reject`; empty where no class is a defect.
        defect_score: Probability that the part is defective in any way.
        novelty: Above 1, the image is more unlike all known ones than 99 in 100 held-out images.
        probabilities: Calibrated probability of each class, in the bundle's order.
    """

    class_name: str
    verdict: str
    defect_score: float
    novelty: float
    probabilities: tuple[float, ...]

    @property
    def worth(self) -> float:
        """Return how much a label would tell: doubt between the two likeliest, or novelty."""
        second, first = sorted(self.probabilities)[-2:]
        # A novelty of 1.5 weighs as much as two equally likely classes.
        return max(1 - (first - second), self.novelty - 0.5)

    def values(self) -> list[Any]:
        """Return the row of a table: `COLUMNS`, then the probabilities."""
        decided = [self.class_name, self.verdict, self.defect_score, self.novelty]
        return [*decided, *self.probabilities]


def softmax(logits: Float[np.ndarray, "n c"], temperature: float = 1.0) -> Float[np.ndarray, "n c"]:
    """Return the probability of each class, exp(l / T) / sum exp(l / T), in float64.

    >>> softmax(np.array([[0.0, np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    scaled = logits.astype(np.float64) / temperature
    likely = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return likely / likely.sum(axis=1, keepdims=True)


def defect_scores(
    likely: Float[np.ndarray, "n c"], classes: Sequence[str], defects: Sequence[str]
) -> Float[np.ndarray, " n"]:
    """Return the probability that a part is defective in any way.

    Added up class by class, so that a part's score does not depend on the batch that it is in.

    >>> defect_scores(np.array([[0.5, 0.25, 0.25]]), ["ok", "worn", "torn"], ["worn", "torn"])
    array([0.5])
    """
    columns = [likely[:, classes.index(name)] for name in defects]
    return sum(columns, np.zeros(len(likely)))


def novelty(
    features: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, " n"]:
    """Return the mean distance to the nearest known features, on the unit sphere.

    Distances of normalised features, a mean over the 5 nearest (Sun et al., arXiv 2204.06507).
    0 = a copy of known images, at most 2.

    Args:
        features: Features of the images in question.
        reference: Features of known images, at least one.

    >>> far = novelty(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]))
    >>> [f"{distance:.3f}" for distance in far]
    ['0.000', '1.414']
    """
    likeness = _unit(features) @ _unit(reference).T
    nearest = min(NEIGHBOURS, len(reference))
    closest = np.partition(likeness, len(reference) - nearest, axis=1)[:, -nearest:]
    return np.sqrt(np.clip(2 - 2 * closest, 0, None)).mean(axis=1)


def strangest(maps: Float[np.ndarray, "n 1 y x"]) -> Float[np.ndarray, " n"]:
    """Return the mean of each image's strangest tenth of places, as `anomaly.scores` does.

    Args:
        maps: How unlike all that a memory holds each place is.

    >>> strangest(np.array([[[[0.0, 1.0], [2.0, 5.0]]]]))
    array([5.])
    """
    flat = maps.reshape(len(maps), -1)
    count = max(1, round(STRANGEST * flat.shape[1]))
    return np.partition(flat, flat.shape[1] - count, axis=1)[:, -count:].mean(axis=1)


def usual_novelty(features: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "m d"]) -> float:
    """Return the novelty that 99 in 100 images like the held-out ones stay below.

    Args:
        features: Features of held-out images; with fewer than 59 the scale is the largest distance.
        reference: Features of known images.
    """
    if len(features) < FEWEST_HELD_OUT:
        return FARTHEST
    return float(np.quantile(novelty(features, reference), QUANTILE, method="higher"))


def decide(
    logits: Float[np.ndarray, "n c"],
    features: Float[np.ndarray, "n d"],
    reference: Float[np.ndarray, "m d"],
    *,
    classes: Sequence[str],
    defects: Sequence[str],
    temperature: float,
    usual: float,
    cutoffs: tuple[float, float] | None,
    maps: Float[np.ndarray, "n 1 y x"] | None = None,
) -> list[list[Any] | None]:
    """Return a row per image: class, verdict, defect score, novelty, calibrated probabilities.

    The verdict is `pass`, `human` or `reject` by the thresholds, else by the likeliest class; it
    is empty where no class is a defect. There is None in place of a row where a logit or a feature
    is no finite number, because nothing is known about the part then and it must not pass.

    Args:
        logits: Logits of N images.
        features: Features of the same images.
        reference: Features of known images.
        classes: The class of each logit.
        defects: The classes that are defects.
        temperature: What the logits are divided by.
        usual: The distance that counts as a novelty of 1.
        cutoffs: The lower and the upper threshold, if there are any.
        maps: How strange each place is, where a memory tells; else the features tell novelty.
    """
    known = np.isfinite(logits).all(axis=1) & np.isfinite(features).all(axis=1)
    likely = softmax(logits[known], temperature)
    score = defect_scores(likely, classes, defects)
    far = novelty(features[known], reference) if maps is None else strangest(maps[known])
    strange = far / usual
    rows: list[list[Any] | None] = [None] * len(logits)
    for i, place in enumerate(np.flatnonzero(known)):
        row = likely[i]
        if not np.isfinite(row).all():
            continue  # a temperature that is no number
        name = classes[int(row.argmax())]
        if not defects:
            verdict = ""
        elif cutoffs is None:
            verdict = "reject" if name in defects else "pass"
        else:
            # Two equal cutoffs leave no band for a person: a score reaches neither or both. Not
            # "score >= cutoff": a cutoff that is no number lets nothing pass.
            verdict = ("pass", "human", "reject")[sum(not score[i] < cutoff for cutoff in cutoffs)]
        rows[place] = [name, verdict, float(score[i]), float(strange[i]), *map(float, row)]
    return rows


def escapes(label: str, decision: Decision, good: Sequence[str]) -> bool:
    """Tell whether a part is of no good class and passes."""
    return label not in good and decision.verdict == "pass"


def overkilled(label: str, decision: Decision, good: Sequence[str]) -> bool:
    """Tell whether a part is of a good class and does not pass: rejected, or sent to a person."""
    return label in good and decision.verdict != "pass"


def _unit(features: np.ndarray) -> np.ndarray:
    values = features.astype(np.float32)
    return values / np.clip(np.linalg.norm(values, axis=1, keepdims=True), 1e-12, None)
