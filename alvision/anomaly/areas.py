"""What hangs together in a mask, in numpy alone: the computer beside a line has no more."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


def areas(
    mask: Bool[np.ndarray, "h w"],
) -> list[tuple[slice, slice, Bool[np.ndarray, "y x"]]]:
    """Return the areas that hang together, corners included: rows, columns, and what is inside.

    They come in the order of their first pixels, rows first. Time and memory grow with the runs of
    pixels in the rows, not with the pixels.

    >>> areas(np.array([[True, False, False], [False, True, False]]))[0][2].tolist()
    [[True, False], [False, True]]
    """
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    first = np.searchsorted(rows, np.arange(len(mask) + 1)).tolist()
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    parent = list(range(len(runs)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    for number, (row, start, end) in enumerate(runs):
        above = range(first[row - 1], first[row]) if row else ()
        for other in above:
            if runs[other][1] <= end and runs[other][2] >= start:
                one, two = sorted((root(number), root(other)))
                parent[two] = one
    groups: dict[int, list[tuple[int, int, int]]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(root(number), []).append(run)
    found = []
    for group in groups.values():
        top, bottom = group[0][0], group[-1][0] + 1
        left, right = min(run[1] for run in group), max(run[2] for run in group)
        inside = np.zeros((bottom - top, right - left), bool)
        for row, start, end in group:
            inside[row - top, start - left : end - left] = True
        found.append((slice(top, bottom), slice(left, right), inside))
    return found
