"""Measure how long a command takes until a person sees its first line.

    python scripts/benchmark_start.py [--quick] [--json FILE]

Each command runs in a fresh process on a folder of 36 small images, once to warm the disk and then
several times; the fewest seconds count. `theirs` is what is allowed. The CPU-seconds say what a
busy machine hides. `--quick` repeats less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
import numpy as np
from PIL import Image

NO_NETWORK = ["model.backbone=timm:test_resnet", "model.weights=null", "trainer=cpu"]
COMMANDS = {
    "alvision --help": (["--help"], 0.5),
    "alvision labels verify data.root=parts": (["labels", "verify", "data.root=parts"], 0.5),
    "alvision run data.root=parts, first line": (["run", "data.root=parts", *NO_NETWORK], 4.0),
}
"""What is measured: the words of a command, and the seconds that it may take."""


def photographs(folder: Path) -> None:
    """Write two class folders of noise."""
    rng = np.random.default_rng(0)
    for label, count in (("ok", 24), ("worn", 12)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number:03d}.png")


def first_line(words: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds, and those of the CPU, until a command's first line; end it there."""
    began, before = time.perf_counter(), cpu_of_children()
    with subprocess.Popen(
        [sys.executable, "-u", "-W", "ignore", "-m", "alvision", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        process.kill()
        if not line:
            sys.exit(f"alvision {' '.join(words)}: {process.stderr.read().decode()}")
    return seconds, cpu_of_children() - before


def cpu_of_children() -> float:
    """Return the CPU-seconds of all commands that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def start(quick: bool) -> list[figures.Figure]:
    """Measure every command."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photographs(folder / "parts")
        for name, (words, allowed) in COMMANDS.items():
            first_line(words, folder)  # warms the disk, and writes the .pyc files of a fresh copy
            measured = [first_line(words, folder) for _ in range(2 if quick else 7)]
            seconds, cpu = (min(values) for values in zip(*measured, strict=True))
            rows.append(figures.figure(name, "s", seconds, allowed))
            rows.append(figures.figure(name, "CPU-s", cpu, allowed, figures.NO_TARGET))
    return rows


if __name__ == "__main__":
    figures.main(__doc__ or "", {"start": start})
