"""How far a run has read its images: a file beside the rounds, while the features are computed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from alvision.core.rounds import write_atomically

FILE = "reading.json"

EVERY_SECONDS = 2.0
"""Between two writes: short beside the minutes that reading takes, long beside a write."""


class Reading:
    """Tell the page how far the reading of the images is; the file is gone once all are read.

    Args:
        root: The run's folder.
        clock: Gives seconds that only grow.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = root / FILE
        self._clock = clock
        self._began: float | None = None
        self._told = -math.inf
        self._file.unlink(missing_ok=True)  # of a process that was killed

    def __call__(self, done: int, total: int) -> None:
        """Record that so many of all images that had to be read have been."""
        now = self._clock()
        if done >= total:
            self._file.unlink(missing_ok=True)
            self._began, self._told = None, -math.inf
            return
        if self._began is None:
            self._began = now
        if now - self._told < EVERY_SECONDS:
            return
        self._told = now
        text = json.dumps({"done": done, "total": total, "seconds": now - self._began})
        write_atomically(self._file, lambda beside: _write(beside, text))


def minutes_left(root: Path) -> int | None:
    """Return the minutes until a run has read its images, at least 1; None where nobody knows.

    Nobody does before the first images are read, and once all are.
    """
    try:
        found = json.loads((root / FILE).read_text(encoding="utf-8"))
        done, total, seconds = found["done"], found["total"], found["seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not done or not seconds:
        return None
    return max(1, math.ceil((total - done) * seconds / done / 60))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
