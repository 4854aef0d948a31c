"""Files that are left out because nobody can read them: the table of a run, and a line of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

FILE = "set_aside.csv"
NAMED = 5
"""Files that a line names; the table holds all of them."""


def set_aside_line(set_aside: Mapping[str, str]) -> str:
    """Say which files are left out, and why.

    >>> set_aside_line({"b.png": "file is empty", "a.png": "not an image"})
    '2 files are set aside: a.png (not an image), b.png (file is empty)'
    """
    named = [f"{_in_a_line(name)} ({reason})" for name, reason in sorted(set_aside.items())[:NAMED]]
    more = len(set_aside) - len(named)
    files = "1 file is" if len(set_aside) == 1 else f"{len(set_aside):,} files are"
    return f"{files} set aside: {', '.join(named)}" + (f" and {more:,} more" if more else "")


def _in_a_line(name: str) -> str:
    r"""Escape what breaks a line or commands a terminal.

    >>> _in_a_line("ü\n.png")
    'ü\\n.png'
    """
    marks = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(marks)


def write_set_aside(root: Path, set_aside: Mapping[str, str]) -> None:
    """Write a run's table of the files that are set aside; there is none without any."""
    if not set_aside:
        (root / FILE).unlink(missing_ok=True)
        return
    with (root / FILE).open("w", encoding="utf-8", newline="") as file:
        rows = [("id", "reason"), *sorted(set_aside.items())]
        csv.writer(file, lineterminator="\n").writerows(rows)


def read_set_aside(root: Path) -> dict[str, str]:
    """Read a run's table; empty where it has none."""
    try:
        with (root / FILE).open(encoding="utf-8", newline="") as file:
            return {row["id"]: row["reason"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}
