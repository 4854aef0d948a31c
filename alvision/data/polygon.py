"""The region of interest as a user gives it: a polygon or a box, checked."""

from __future__ import annotations

import math
from typing import Any

from alvision.core.errors import UserError

Point = tuple[float, float]

LEAST_AREA = 1e-6
"""Of the photograph: a dozen pixels of twelve megapixels."""


def polygon_of(value: Any) -> tuple[Point, ...] | None:
    """Return the corners of a region of interest as fractions of the photograph.

    Args:
        value: [[x, y], ...], three corners or more in their order; or a box, [left, top, right,
            bottom]; or None.

    Raises:
        UserError: It is neither, reaches outside the photograph, crosses itself or has no area.

    >>> polygon_of([0, 0.25, 1, 0.75])
    ((0.0, 0.25), (1.0, 0.25), (1.0, 0.75), (0.0, 0.75))
    """
    if value is None:
        return None
    corners = _distinct(_corners(value))
    said = f"data.image.roi={value}"
    if not all(0 <= place <= 1 for corner in corners for place in corner):
        raise UserError(
            f"{said} reaches outside the photograph: give fractions 0..1 of its width and height, "
            "of the photograph as people see it"
        )
    edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    if abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)) / 2 < LEAST_AREA:
        raise UserError(f"{said} has no area: give the corners of a region, in their order")
    for i, first in enumerate(edges):
        # The edge after one, and the last after the first, share a corner with it.
        for second in edges[i + 2 : len(edges) - (i == 0)]:
            if _cross(*first, *second):
                raise UserError(
                    f"{said} crosses itself between {list(first[0])} and {list(first[1])}: give "
                    "the corners in their order round the region"
                )
    return corners


def _corners(value: Any) -> tuple[Point, ...]:
    corners: tuple[Point, ...] = ()
    try:
        if len(value) == 4 and all(isinstance(edge, int | float) for edge in value):
            left, top, right, bottom = map(float, value)
            return ((left, top), (right, top), (right, bottom), (left, bottom))
        corners = tuple((float(x), float(y)) for x, y in value)
    except (TypeError, ValueError):
        pass  # refused below
    if len(corners) < 3 or not all(map(math.isfinite, sum(corners, ()))):
        raise UserError(
            f"data.image.roi={value} must be the corners of a polygon, [[x,y],[x,y],[x,y],...], "
            "three or more, or a box [left,top,right,bottom]"
        )
    return corners


def _distinct(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    """Leave out a corner that is the next one too; drawing tools close with the first one."""
    pairs = zip(corners, (*corners[1:], corners[0]), strict=True)
    return tuple(one for one, following in pairs if one != following) or corners


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Tell whether the edges a-b and c-d have a point in common."""

    def side(p: Point, q: Point, r: Point) -> int:
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        return (area > 0) - (area < 0)

    def within(p: Point, q: Point, r: Point) -> bool:
        return all(min(p[i], q[i]) <= r[i] <= max(p[i], q[i]) for i in (0, 1))

    sides = side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
    if sides[0] != sides[1] and sides[2] != sides[3]:
        return True
    ends = (a, b, c), (a, b, d), (c, d, a), (c, d, b)
    return any(turn == 0 and within(*end) for turn, end in zip(sides, ends, strict=True))
