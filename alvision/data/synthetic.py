"""Defects that nobody photographed: scratches, pits and stains drawn onto good photographs.

They say how small and how faint a mark a setting still sees. They are no defects of the shop, so
nothing that they give is a promise.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, UInt8

from alvision.data.framing import Box

KINDS = ("scratch", "pit", "stain")


def pasted(
    pixels: UInt8[np.ndarray, "h w c"],
    kind: str,
    size: int,
    contrast: int,
    middle: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "h w c"], Box]:
    """Return a photograph with one defect, and the box around it.

    A scratch is a bent line, a pit a disc with a steep edge, a stain a spot with a soft edge.
    It is darker than what is there, or lighter where that is nearly black; a scratch the other way
    round.

    Args:
        pixels: The photograph, upright.
        kind: One of `KINDS`.
        size: Its longest extent, in pixels of the photograph.
        contrast: Grey levels, of 255, by which its middle differs.
        middle: Where it is, x and y.
        rng: Decides its direction and its shape.
    """
    mark = shape(kind, size, rng)
    side = len(mark)
    left, top = middle[0] - side // 2, middle[1] - side // 2
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(pixels.shape[1], left + side), min(pixels.shape[0], top + side)
    part = pixels[y0:y1, x0:x1].astype(np.float32)
    mark = mark[y0 - top : y1 - top, x0 - left : x1 - left, None]
    base = float(part.mean())
    lighter = base < 255 - contrast if kind == "scratch" else base < contrast
    found = pixels.copy()
    changed = part + (contrast if lighter else -contrast) * mark
    found[y0:y1, x0:x1] = np.rint(changed.clip(0, 255)).astype(np.uint8)
    rows, columns = (np.flatnonzero((mark[..., 0] > 0.3).any(axis)) for axis in (1, 0))
    return found, (
        int(x0 + columns[0]),
        int(y0 + rows[0]),
        int(x0 + columns[-1] + 1),
        int(y0 + rows[-1] + 1),
    )


def shape(kind: str, size: int, rng: np.random.Generator) -> Float[np.ndarray, "s s"]:
    """Return how much of its contrast a defect has at each pixel, 0..1, in a square around it.

    Raises:
        ValueError: There is no such kind.
    """
    half = size // 2 + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    turn = rng.uniform(0, math.pi)
    if kind == "scratch":
        along = x * math.cos(turn) + y * math.sin(turn)
        beside = y * math.cos(turn) - x * math.sin(turn)
        beside = beside - rng.uniform(-0.4, 0.4) * along**2 / max(size, 1)
        thick = max(0.8, size / 30)
        ends = 1 / (1 + np.exp(2 * (np.abs(along) - size / 2)))
        return np.exp(-((beside / thick) ** 2)) * ends
    away = np.hypot(x, y) / (size / 2)
    if kind == "pit":
        return np.exp(-(away**6))
    if kind == "stain":
        angle = np.arctan2(y, x)
        uneven = 1 + 0.15 * np.cos(3 * angle + turn) + 0.1 * np.cos(5 * angle + 2 * turn)
        return 1 / (1 + np.exp((away * uneven - 0.8) / 0.1))
    raise ValueError(f"no such defect: {kind}")
