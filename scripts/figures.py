"""Share what all benchmarks need: their command line, their figures and the table they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blocks import rewrite

Figure = dict[str, Any]
COLUMNS = ("name", "unit", "ours", "theirs", "ratio", "target")
NO_TARGET = 0.0  # a figure that informs and decides nothing


def figure(name: str, unit: str, ours: float, theirs: float, target: float = 1.0) -> Figure:
    """Compare two measurements; `ratio` is higher where ours is better.

    >>> figure("work", "s", 2.0, 3.0)["ratio"], figure("work", "images/s", 2.0, 3.0)["ratio"]
    (1.5, 0.6666666666666666)
    """
    ratio = ours / theirs if unit.endswith("/s") else theirs / ours
    values = (name, unit, ours, theirs, ratio, target)
    return dict(zip(COLUMNS, values, strict=True))


def best(turns: int, tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the fewest seconds of each task."""
    fewest = dict.fromkeys(tasks, float("inf"))
    for _ in range(turns):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            fewest[name] = min(fewest[name], time.perf_counter() - began)
    return fewest


def missing(name: str) -> Figure:
    """Return the row of something that could not be measured here; it counts as a miss."""
    return dict(zip(COLUMNS, (f"{name} (not installed)", "s", 0.0, 0.0, 0.0, 1.0), strict=True))


def missed(figures: list[Figure]) -> list[str]:
    """Return the names of the figures that are below their target."""
    return [f"{f['name']}, {f['unit']}" for f in figures if f["ratio"] < f["target"]]


def table(figures: list[Figure]) -> str:
    """Write figures as a Markdown table."""
    lines = [
        "| task | unit | ours | theirs | ratio | target |",
        "| --- | --- " + "| ---: " * 4 + "|",
    ]
    lines += [
        f"| {f['name']} | {f['unit']} | {f['ours']:.4g} | {f['theirs']:.4g} | {f['ratio']:.2f} "
        f"| {format(f['target'], '.4g') if f['target'] else '–'} |"
        for f in figures
    ]
    return "\n".join(lines)


def main(
    description: str,
    parts: dict[str, Callable[[bool], list[Figure]]],
    page: tuple[Path, str] | None = None,
) -> None:
    """Run a benchmark from the command line; exit with 1 where a target is missed.

    Args:
        description: Its first line is the help.
        parts: What to measure, by name; each gets whether it shall be quick.
        page: The file, and the name of the block in it, that `--write` puts the table into.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less work")
    parser.add_argument("--json", type=Path, help="write the figures here")
    if len(parts) > 1:
        parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    if page:
        parser.add_argument(
            "--write", action="store_true", help=f"put the table into {page[0].name}"
        )
    arguments = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"warning: load {load:.1f}: others work here, the times will vary", file=sys.stderr)
    figures = []
    for name in getattr(arguments, "only", parts):
        figures += parts[name](arguments.quick)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if page and arguments.write:
        rewrite(*page, table(figures))
    for name in missed(figures):
        print(f"missed: {name}", file=sys.stderr)
    sys.exit(bool(missed(figures)))
