"""How long a run of a study took on the clock; beside its rounds, which hold no clock times."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alvision.core.rounds import write_atomically

FILE = "time.json"


@contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Write the seconds of what is done inside, if the run goes from its start to its end in it.

    A run that was resumed has no time: nobody saw all of it.
    """
    fresh = not (folder / "rounds").exists()
    started = time.perf_counter()
    yield
    if fresh:
        text = json.dumps({"seconds": round(time.perf_counter() - started, 3)}) + "\n"
        write_atomically(folder / FILE, lambda beside: _write(beside, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def mean_hours(folders: list[Path]) -> float | None:
    """Return the mean hours of those runs that have a time; None if none has."""
    found = []
    for folder in folders:
        try:
            text = (folder / FILE).read_text(encoding="utf-8")
            found.append(float(json.loads(text)["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sum(found) / len(found) / 3600 if found else None
