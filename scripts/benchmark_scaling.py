"""Measure how time and memory grow with the pool, and whether a run stays within its stated peak.

    python scripts/benchmark_scaling.py [--quick] [--only PART ...] [--json FILE] [--write]

`images`: whole runs (`alvision run`: hashes, features, a cold start and a round, tables, report)
over 10,000 and 100,000 small images of noise with a real network (random weights, 1,280 features),
each in a fresh process: with entropy, whose scores are fused into the pass, and with k-center,
which reads all features, in memory and in a memory map. The first run of each pool finds no cache.
The network sees 32 pixels, because the figures are about numbers of images and not about pixels.
`million`: a pool of a million images whose features are made, not decoded: scores of 20 passes,
and features in a memory map. All sizes run once, with `--quick` too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
import numpy as np
from PIL import Image

SMALL, LARGE, MILLION = 10_000, 100_000, 1_000_000
LIMIT = 3.0  # GB
K_CENTER = ("acquisition=k_center", "cold_start.per_class=0")  # it chooses from the first model on
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

RUN = """
import json, resource, sys
from alvision.cli import main
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
from alvision.inference.memory import peak
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak": peak()}))
sys.exit(status)
"""
MADE = """
import json, sys, time
import torch
from pathlib import Path
from alvision.acquisition import entropy
from alvision.inference.memory import peak
from alvision.inference.pool import collect
from alvision.models.heads import Head
count, field, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
torch.manual_seed(0)
head = Head(1280, 6).eval()
masks = head.masks(20, torch.Generator().manual_seed(0))
made = torch.randn(4096, 1280)
chunks = (
    (tuple(f"{i:07}.png" for i in range(a, min(a + 4096, count))), made[: min(4096, count - a)])
    for a in range(0, count, 4096)
)
began = time.perf_counter()
pool = collect(chunks, needs={field}, log_probs=lambda f: head.passes(f, masks), score=entropy,
               count=count, folder=folder)
assert len(getattr(pool, field)) == len(pool) == count
print(json.dumps({"seconds": time.perf_counter() - began, "peak": peak()}))
"""


def write_noise(root: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for label in ("ok", "worn"):
        (root / label).mkdir(parents=True)
    for i in range(count):
        label = "worn" if i % 5 == 0 else "ok"
        pixels = rng.integers(0, 256, (32, 32), np.uint8)
        Image.fromarray(pixels).save(root / label / f"{i:06}.png", compress_level=1)


def child(program: str, *words: str, folder: Path) -> tuple[dict[str, float], str]:
    """Run a program in a fresh process; return what it tells in its last line, and all it says."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "ALVISION_CACHE": str(folder / "cache")},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


def run(folder: Path, count: int, *more: str) -> tuple[float, float, float]:
    """Return wall seconds, the measured peak and the one that was stated first, in GB."""
    words = [
        "run", "data=class_folders", f"data.root={folder / str(count)}", "data.image.size=32",
        "model.weights=null", "budget.rounds=1", f"out={folder / 'runs' / '-'.join(map(str, more))}"
        f"{count}", *more,
    ]  # fmt: skip
    began = time.perf_counter()
    found, text = child(RUN, *words, folder=folder)
    seconds = time.perf_counter() - began
    said = re.search(r"memory: at most ([\d.]+) GB", text)
    if said is None:
        sys.exit("the run did not tell its peak")
    return seconds, found["peak"] / 1e9, float(said[1])


def images(quick: bool) -> list[figures.Figure]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = {}
        for count in (SMALL, LARGE):
            write_noise(folder / str(count), count)
            for label, more in (
                ("entropy, no cache", ("acquisition=entropy",)),
                ("k-center", K_CENTER),
                ("k-center, memory map", (*K_CENTER, "trainer.memory_map=true")),
            ):
                took, measured, stated = run(folder, count, *more)
                seconds[label, count] = took
                name = f"{count:,} images, {label}: peak"
                rows += [
                    figures.figure(f"{name} against {LIMIT:.0f} GB", "GB", measured, LIMIT),
                    figures.figure(f"{name} against the stated peak", "GB", measured, stated),
                    figures.figure(
                        f"{name} as stated against 1.5 x measured", "GB", stated,
                        1.5 * measured,
                    ),
                ]  # fmt: skip
        for label in ("entropy, no cache", "k-center"):
            growth = seconds[label, LARGE] / seconds[label, SMALL]
            share = LARGE / SMALL
            name = f"time of {LARGE // SMALL} times the images, {label}, against linear"
            rows.append(figures.figure(name, "times as long", growth, share, figures.NO_TARGET))
    return rows


def million(quick: bool) -> list[figures.Figure]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for field in ("scores", "features"):
            found, _ = child(MADE, str(MILLION), field, name, folder=Path(name))
            label = f"{MILLION:,} made images, {field}"
            rows += [
                figures.figure(f"{label}: peak", "GB", found["peak"] / 1e9, LIMIT),
                figures.figure(f"{label}: time", "s", found["seconds"], 0.0, figures.NO_TARGET),
            ]
    return rows


if __name__ == "__main__":
    figures.main(__doc__, {"images": images, "million": million}, (PAGE, "scaling"))
