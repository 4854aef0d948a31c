"""Measure what an active-learning experiment on real images costs, here and with Baal.

    python scripts/benchmark_experiment.py [--quick] [--only PART ...] [--json FILE] [--write]

`study`: `alvision compare` on ELPV, 8 strategies over 5 seeds and 15 rounds, two runs at a time,
once with an empty cache and once with a filled one. `baal`: one run of the same protocol in full
(20 labels to start from, 20 a round, BALD over 20 passes, half of the modules held out), and Baal
on 2 rounds over 256 images of its pool, from the same first labels, with the same packaged
backbone frozen, head, optimiser, steps and number of passes, in its fastest mode, which repeats
neither images nor convolutions. Its seconds are scaled by image: training by labelled image and
step, the pool and the held-out part by image, each to the sum over the rounds of the full run.
`quality`: the common part, 2 rounds over 256 images, over 10 seeds, each with a split of its own;
both are measured on the whole held-out part. Baal's own code trains, predicts and chooses on
features that its frozen trunk gave once, in fp32, which changes its time and not its result.
`--quick` changes nothing: every part runs once.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import figures
import numpy as np
from baal_protocol import BATCH, ROUNDS, WORDS, baal_quality, baal_rounds, own_quality

from alvision.evaluation.intervals import mean_interval

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
STRATEGIES = (
    "random_sampling", "margin", "entropy", "bald", "k_center", "badge", "typiclust",
    "uncertainty_herding",
)  # fmt: skip
SEEDS, QUALITY_SEEDS = 5, 10
MINUTES = {"cold": 8, "warm": 6}


def alvision(*words: str, cache: Path) -> dict[str, float]:
    """Run a command in a process of its own; return wall and CPU seconds and peak memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "alvision", *words],
        env={**os.environ, "ALVISION_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "s": time.perf_counter() - began,
        "CPU-s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "MB": after.ru_maxrss / 1024,
    }


def study(quick: bool) -> list[figures.Figure]:
    name = f"ELPV study, {len(STRATEGIES)} strategies x {SEEDS} seeds x {ROUNDS} rounds, 2 cores, "
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for state, minutes in MINUTES.items():
            used = alvision(
                "compare", *WORDS, f"acquisition=[{','.join(STRATEGIES)}]", f"seeds={SEEDS}",
                "jobs=2", f"out={folder}/{state}", cache=Path(folder) / "cache",
            )  # fmt: skip
            rows.append(figures.figure(f"{name}{state} cache", "s", used["s"], 60 * minutes))
    return rows


def baal(quick: bool) -> list[figures.Figure]:
    name = "the ELPV protocol against Baal, same T and backbone, scaled by image"
    if not find_spec("baal"):
        return [figures.missing(name)]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        run = [*WORDS, "acquisition=bald", f"out={folder}/run"]
        ours = alvision("run", *run, cache=cache)
        os.environ["ALVISION_CACHE"] = str(cache)
        theirs = alone(baal_rounds)
    scaled = {unit: scale(theirs["parts"], theirs["sizes"], unit) for unit in ("s", "CPU-s")}
    return [
        figures.figure(name, "s", ours["s"], scaled["s"], 100.0),
        figures.figure(name, "CPU-s", ours["CPU-s"], scaled["CPU-s"], figures.NO_TARGET),
        figures.figure(
            "the ELPV protocol against Baal, peak memory (Baal: of the part)", "MB", ours["MB"],
            theirs["MB"], figures.NO_TARGET,
        ),
    ]  # fmt: skip


def quality(quick: bool) -> list[figures.Figure]:
    label = f"macro-F1 on the common part, the ELPV protocol against Baal, {QUALITY_SEEDS} seeds"
    if not find_spec("baal"):
        return [figures.missing(label)]
    scores = np.array([(own_quality(seed), baal_quality(seed)) for seed in range(QUALITY_SEEDS)])
    mine, theirs = scores.mean(0)
    more = mean_interval(scores[:, 0] - scores[:, 1])
    print(f"macro-F1, ours - Baal's: {more.value:+.3f} ({more.low:+.3f} to {more.high:+.3f})")
    values = (label, "macro-F1", mine, theirs, mine / theirs, 1.0)
    return [dict(zip(figures.COLUMNS, values, strict=True))]


def scale(parts: Mapping[str, Any], sizes: Mapping[str, int], unit: str) -> float:
    """Scale what Baal took for a part of the protocol to the whole of it, by image.

    Args:
        parts: For each kind of work, images and what they took, by unit.
        sizes: Images in the whole pool and the whole held-out part.
        unit: `s` or `CPU-s`.

    >>> part = {"images": 10, "s": 2.0}
    >>> work = {"train": part, "pool": part, "held out": part}
    >>> scale(work, {"pool": 500, "held out": 100}, "s")
    1884.0
    """
    labelled = [BATCH * (number + 1) for number in range(ROUNDS + 1)]
    images = {
        "train": sum(labelled),
        "pool": sum(sizes["pool"] - count for count in labelled[:-1]),
        "held out": sizes["held out"] * (ROUNDS + 1),
    }
    return sum(images[kind] * part[unit] / part["images"] for kind, part in parts.items())


def alone(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a task in a fresh process, which may start worker processes of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, task).result()


def measured(task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    result = task()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {**result, "MB": peak / 1024}


if __name__ == "__main__":
    figures.main(__doc__, {"study": study, "baal": baal, "quality": quality}, (PAGE, "experiment"))
