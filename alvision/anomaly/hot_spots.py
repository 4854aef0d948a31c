"""The hot spots of a map: boxes in pixels of the photograph, a mask, and COCO's form of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from alvision.anomaly.areas import areas

MOST = 20
"""Hot spots of a photograph that are told, the hottest first; more of them say that all is odd."""


@dataclass(frozen=True)
class HotSpot:
    """A box around a hot spot, in whole pixels of the upright photograph.

    Attributes:
        x: Left edge, from 0.
        y: Upper edge, from 0.
        width: At least 1.
        height: At least 1.
        score: The highest value of the map inside it, in levels: 1 is just hot, 2 twice as strange.
    """

    x: int
    y: int
    width: int
    height: int
    score: float


def hot_spots(found: Float[np.ndarray, "h w"], level: float) -> tuple[HotSpot, ...]:
    """Return the hot spots of a map, the hottest first.

    A spot is what hangs together at or above the level, corners included. Its box is drawn around
    the pixels that are above half way from the level to its peak: a map is smooth, and at the
    level it is wider than the defect.

    Args:
        found: The map of a photograph.
        level: Where it is hot, see `maps.hot_level`.

    >>> hot_spots(np.array([[0.0, 3.0, 4.0], [0.0, 0.0, 1.0]]), 2.0)
    (HotSpot(x=1, y=0, width=2, height=1, score=2.0),)
    """
    spots = []
    for rows, columns, own in areas(found >= level):
        part = np.where(own, found[rows, columns], -np.inf)
        peak = float(part.max())
        inside = part >= (level + peak) / 2
        down, across = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        spots.append(
            HotSpot(
                int(columns.start + across[0]),
                int(rows.start + down[0]),
                int(across[-1] - across[0] + 1),
                int(down[-1] - down[0] + 1),
                round(peak / level, 3),
            )
        )
    return tuple(sorted(spots, key=lambda spot: -spot.score)[:MOST])


def mask(found: Float[np.ndarray, "h w"], level: float) -> Image.Image:
    """Return a picture of the photograph's size: 255 where it is hot, else 0."""
    return Image.fromarray(np.where(found >= level, np.uint8(255), np.uint8(0)))


def coco(
    photographs: Mapping[str, tuple[tuple[int, int], Sequence[HotSpot]]], category: str = "unusual"
) -> dict[str, Any]:
    """Return boxes in COCO's form (https://cocodataset.org/#format-results), ready for JSON.

    Args:
        photographs: Width, height and hot spots of each, by the name of its file.
        category: What the boxes are of.

    >>> coco({"a.png": ((8, 4), [HotSpot(1, 0, 2, 1, 1.5)])})["annotations"][0]["bbox"]
    [1, 0, 2, 1]
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, ((width, height), spots)) in enumerate(photographs.items(), 1):
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for spot in spots:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [spot.x, spot.y, spot.width, spot.height],
                    "area": spot.width * spot.height,
                    "iscrowd": 0,
                    "score": spot.score,
                }
            )
    categories = [{"id": 1, "name": category}]
    return {"images": images, "annotations": annotations, "categories": categories}
