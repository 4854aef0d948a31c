"""Measure speed and memory of the acquisition functions against other implementations.

    python scripts/benchmark_acquisition.py [--only NAME ...] [--quick] [--json FILE] [--write]

Ours and theirs run in turn on the same inputs, each alone in a fresh process, so that its peak
memory is its own, and on one thread unless the row says otherwise. Results are compared: the picks,
or what a method that samples has attained. A higher `ratio` is better for us; a row that misses its
target makes the exit status 1. `--quick` takes one repeat instead of three, at the same sizes.
Growth rows double one size: `ours` is how many times longer it takes, `theirs` linear growth. Limit
rows give the share of the machine's memory bandwidth or matrix products, measured in the same run,
that is reached. `--write` puts the table into docs/acquisition.md.
The peers are in the extra `bench`; batchbald-redux: see `acquisition_rows/batch_bald.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import figures
from acquisition_rows import badge, batch_bald, coverage, k_center, scores

PAGE = Path(__file__).parent.parent / "docs" / "acquisition.md"
PARTS = {
    "k_center": k_center.rows,
    "badge": badge.rows,
    "batch_bald": batch_bald.rows,
    "coverage": coverage.rows,
    "scores": scores.rows,
}


def part(rows: Callable[[int], list[figures.Figure]]) -> Callable[[bool], list[figures.Figure]]:
    return lambda quick: rows(1 if quick else 3)


if __name__ == "__main__":
    parts = {name: part(rows) for name, rows in PARTS.items()}
    figures.main(__doc__, parts, page=(PAGE, "benchmark"))
