"""How well maps and boxes show where a defect is: against masks, or rough boxes of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.integrate import trapezoid

Rectangle = tuple[int, int, int, int]
"""x, y, width, height, in pixels."""

FALSE_SHARE = 0.3
"""Share of the good pixels up to which AUPRO goes (MVTec AD, DOI 10.1007/s11263-020-01400-4)."""


def pixel_auroc(
    maps: Sequence[Float[np.ndarray, "h w"]], masks: Sequence[Bool[np.ndarray, "h w"]]
) -> float:
    """Return how probably a defective pixel has a higher value than a good one.

    Args:
        maps: One for each photograph.
        masks: Where its defects are.

    Raises:
        ValueError: There is no defective pixel, or no good one.
    """
    from sklearn.metrics import roc_auc_score

    truth, values = _joined(masks), _joined(maps)
    if truth.all() or not truth.any():
        raise ValueError("defective pixels and good ones are needed")
    return float(roc_auc_score(truth, values))


def aupro(
    maps: Sequence[Float[np.ndarray, "h w"]],
    masks: Sequence[Bool[np.ndarray, "h w"]],
    limit: float = FALSE_SHARE,
) -> float:
    """Return the area under the per-region overlap, 0..1.

    The mean over all defects of the share of each that is above a threshold, over the share of good
    pixels that is above it, from 0 to `limit` and divided by it: a small defect counts as a large
    one (MVTec AD, DOI 10.1007/s11263-020-01400-4). Exact: every value is a threshold.

    Args:
        maps: One for each photograph.
        masks: Where its defects are; what hangs together, corners included, is one defect.
        limit: Highest share of good pixels.

    Raises:
        ValueError: There is no defective pixel, or no good one.

    >>> aupro([np.array([[3.0, 2.0, 1.0, 0.0]])], [np.array([[True, False, False, False]])])
    1.0
    """
    weights = []
    for mask in masks:
        areas, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(areas.ravel(), minlength=count + 1).astype(float)
        sizes[0] = np.inf  # a good pixel has no share in a defect
        weights.append((1 / sizes)[areas])
    overlap, good, values = _joined(weights), ~_joined(masks), _joined(maps)
    if good.all() or not good.any():
        raise ValueError("defective pixels and good ones are needed")
    order = np.argsort(-values, kind="stable")
    last = np.append(np.diff(values[order]) != 0, True)  # pixels of one value pass together
    hit = np.append(0, np.cumsum(overlap[order])[last] / overlap.sum())
    wrong = np.append(0, np.cumsum(good[order])[last] / good.sum())
    within = wrong < limit
    end = np.interp(limit, wrong, hit)
    area = trapezoid(np.append(hit[within], end), np.append(wrong[within], limit))
    return float(area / limit)


@dataclass(frozen=True)
class Marked:
    """The boxes of a photograph, and its defects.

    Attributes:
        boxes: What was told.
        scores: How hot each is.
        defects: The box of each defect; none in a good photograph.
    """

    boxes: Sequence[Rectangle]
    scores: Sequence[float]
    defects: Sequence[Rectangle]


@dataclass(frozen=True)
class Hits:
    """What boxes are worth at one threshold.

    Attributes:
        threshold: Boxes of at least this score count.
        hit: Share of the defects that are hit, 0..1.
        false_boxes: Boxes a photograph that hit no defect.
    """

    threshold: float
    hit: float
    false_boxes: float


def hits(photographs: Sequence[Marked], threshold: float) -> Hits:
    """Return which share of the defects is hit by boxes of at least a score.

    A box hits a defect when one of the two holds the middle of the other.

    Raises:
        ValueError: There is no defect.
    """
    found = defects = wrong = 0
    for one in photographs:
        kept = [b for b, score in zip(one.boxes, one.scores, strict=True) if score >= threshold]
        found += sum(any(_hits(box, defect) for box in kept) for defect in one.defects)
        wrong += sum(not any(_hits(box, defect) for defect in one.defects) for box in kept)
        defects += len(one.defects)
    if not defects:
        raise ValueError("there is no defect to hit")
    return Hits(threshold, found / defects, wrong / len(photographs))


def hits_at(photographs: Sequence[Marked], false_boxes: float) -> Hits:
    """Return the hits at the lowest threshold with at most so many false boxes a photograph.

    Raises:
        ValueError: There is no defect.
    """
    scores = sorted({score for one in photographs for score in one.scores})
    # The number of false boxes falls with the threshold.
    low, high = 0, len(scores)
    while low < high:
        middle = (low + high) // 2
        if hits(photographs, scores[middle]).false_boxes <= false_boxes:
            high = middle
        else:
            low = middle + 1
    return hits(photographs, scores[low] if low < len(scores) else np.inf)


def rectangles(mask: Bool[np.ndarray, "h w"]) -> list[Rectangle]:
    """Return the box of each defect of a mask.

    >>> rectangles(np.array([[True, False, False], [True, False, True]]))
    [(0, 0, 1, 2), (2, 1, 1, 1)]
    """
    areas, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    return [
        (x.start, y.start, x.stop - x.start, y.stop - y.start)
        for y, x in ndimage.find_objects(areas)
    ]


def _hits(one: Rectangle, other: Rectangle) -> bool:
    return _holds(one, other) or _holds(other, one)


def _holds(outer: Rectangle, inner: Rectangle) -> bool:
    """Say whether the middle of one box lies in another."""
    x, y = inner[0] + inner[2] / 2, inner[1] + inner[3] / 2
    return outer[0] <= x <= outer[0] + outer[2] and outer[1] <= y <= outer[1] + outer[3]


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(array) for array in arrays])
