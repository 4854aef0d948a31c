"""What the benchmarks share: their command line, their figures and the table they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Figure = dict[str, Any]
COLUMNS = ("name", "unit", "ours", "theirs", "ratio", "target")


def figure(name: str, unit: str, ours: float, theirs: float, target: float = 1.0) -> Figure:
    """Compare two measurements; `ratio` is higher where ours is better.

    >>> figure("work", "s", 2.0, 3.0)["ratio"], figure("work", "images/s", 2.0, 3.0)["ratio"]
    (1.5, 0.6666666666666666)
    """
    ratio = ours / theirs if unit.endswith("/s") else theirs / ours
    values = (name, unit, ours, theirs, ratio, target)
    return dict(zip(COLUMNS, values, strict=True))


def table(figures: list[Figure]) -> str:
    """Write figures as a Markdown table."""
    lines = [
        "| task | unit | ours | theirs | ratio | target |",
        "| --- | --- " + "| ---: " * 4 + "|",
    ]
    lines += [
        f"| {f['name']} | {f['unit']} | {f['ours']:.4g} | {f['theirs']:.4g} | {f['ratio']:.2f} "
        f"| {f['target']:g} |"
        for f in figures
    ]
    return "\n".join(lines)


def main(description: str, measure: Callable[[bool], list[Figure]]) -> None:
    """Run a benchmark from the command line; `measure` is told whether it shall be quick."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less work, a few seconds")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"warning: load {load:.1f}: others work here, the times will vary", file=sys.stderr)
    figures = measure(arguments.quick)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
