"""Compare acquisition functions: many seeds, paired, with a verdict.

It starts runs and reads their folders; it imports no torch and writes tables, but no pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alvision.study.collect import Study, collect
from alvision.study.export import frames, tables, to_csv, to_markdown
from alvision.study.summary import Comparison, Row, summarise
from alvision.study.verdict import verdict

__all__ = [
    "Comparison",
    "Row",
    "Study",
    "frames",
    "read",
    "tables",
    "to_csv",
    "to_markdown",
    "verdict",
]


def read(
    folder: Path | str,
    acquisitions: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
) -> Comparison:
    """Compare the runs in a study's folder; nothing is written.

    `frames(read("runs/elpv"))["pairs"]` is the win matrix as a data frame.

    Args:
        folder: The study's folder, as `alvision compare` or `alvision run -m` left it.
        acquisitions: Which ones; None: all that are there.
        seeds: Which ones; None: all that are there.
        metric: What to compare by; None: `target.metric` of the runs.
        target: The score to count labels to; None: `target.value` of the runs, else .95 of each
            seed's full-data score.

    Raises:
        UserError: There is no study, or its runs cannot be compared.
    """
    return summarise(collect(folder, acquisitions, seeds, metric=metric, target=target))
