"""How fast are scores and k-center, and how much memory do they take, against their plain forms?

    python scripts/benchmark_acquisition.py [--quick] [--json FILE]

Each task runs alone in a fresh process, so that its peak memory is its own, and on one thread, so
that neighbours on the machine disturb it less; results are compared before a figure is told.
`ratio` is plain / ours, so higher is better.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alvision.acquisition import bald, entropy, k_center, margin
from alvision.inference.predictions import Predictions

try:
    import resource
except ImportError:  # Windows tells no peak; the memory rows are left out there
    resource = None  # type: ignore[assignment]

FULL = {"scores": (1_000_000, 20, 10), "k_center": (20_000, 512, 200)}
QUICK = {"scores": (100_000, 20, 10), "k_center": (4_000, 512, 50)}
UNITS = {"seconds": "s", "cpu": "CPU-s", "memory": "MB"}


def plain_entropy(log_probs: Tensor) -> Tensor:
    p = log_probs.exp().mean(1)
    return -torch.where(p > 0, p * p.log(), 0).sum(-1)


def plain_margin(log_probs: Tensor) -> Tensor:
    best = log_probs.exp().mean(1).sort(descending=True).values
    return 1 - (best[:, 0] - best[:, 1])


def plain_bald(log_probs: Tensor) -> Tensor:
    p = log_probs.exp()
    return plain_entropy(log_probs) + torch.where(p > 0, p * p.log(), 0).sum(-1).mean(1)


def plain_k_center(features: Tensor, known: Tensor, n: int) -> Tensor:
    """Hold the whole N x L matrix, as the common implementations do, and take its row minima."""
    distances = torch.cdist(features, known)
    picked = torch.zeros(len(features), dtype=torch.bool)
    scores = []
    for _ in range(n):
        nearest = distances.amin(1).masked_fill(picked, -1)
        row = int(nearest.argmax())
        picked[row] = True
        scores.append(float(nearest[row]))
        distances = torch.cat([distances, torch.cdist(features, features[row : row + 1])], dim=1)
    return torch.tensor(scores)


def score_task(score: Callable[[Tensor], Tensor], shape: tuple[int, int, int]) -> Callable[[], Any]:
    log_probs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for block in log_probs.split(1000):
        # In place: a second array here would hide the task's own peak.
        block.copy_(block.log_softmax(-1))
    return lambda: score(log_probs)


def k_center_task(ours: bool, shape: tuple[int, int, int]) -> Callable[[], Any]:
    total, width, n = shape
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(total, width, generator=rng)
    known = torch.randn(n, width, generator=rng)
    if not ours:
        return lambda: plain_k_center(features, known, n)
    pool = Predictions(tuple(map(str, range(total))), features=features)
    labelled = Predictions(tuple(map(str, range(n))), features=known)
    return lambda: k_center(pool, labelled, n=n, rng=rng).scores


TASKS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "entropy": ("scores", lambda s: score_task(entropy, s), lambda s: score_task(plain_entropy, s)),
    "margin": ("scores", lambda s: score_task(margin, s), lambda s: score_task(plain_margin, s)),
    "bald": ("scores", lambda s: score_task(bald, s), lambda s: score_task(plain_bald, s)),
    "k_center": (
        "k_center",
        lambda s: k_center_task(True, s),
        lambda s: k_center_task(False, s),
    ),
}


def peak_memory() -> float:
    """Return this process's highest memory so far in MB; 0 where the system does not tell."""
    if resource is None:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(name: str, ours: bool, sizes: dict[str, Any]) -> dict[str, Any]:
    """Run one task and return its result, wall and CPU seconds, and memory above its input."""
    torch.set_num_threads(1)
    kind, mine, theirs = TASKS[name]
    task = (mine if ours else theirs)(sizes[kind])
    base = peak_memory()
    wall, cpu = time.perf_counter(), time.process_time()
    result = task()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Below one MB the figure is the allocator's, not the task's.
    memory = max(peak_memory() - base, 1.0)
    return {"result": result.numpy(), "seconds": wall, "cpu": cpu, "memory": memory}


def compare(name: str, sizes: dict[str, Any]) -> list[dict[str, Any]]:
    figures = []
    for ours in (True, False):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures.append(pool.apply(measure, (name, ours, sizes)))
    mine, theirs = figures
    torch.testing.assert_close(
        torch.from_numpy(mine["result"]), torch.from_numpy(theirs["result"]), rtol=1e-4, atol=1e-5
    )
    size = "x".join(map(str, sizes[TASKS[name][0]]))
    return [
        {
            "name": f"{name} {size} {what}",
            "unit": unit,
            "ours": mine[what],
            "theirs": theirs[what],
            "ratio": theirs[what] / mine[what],
            "target": 1.0,
        }
        for what, unit in UNITS.items()
        if what != "memory" or resource
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller pools, a few seconds")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"warning: load {load:.1f}: others work here, the times will vary", file=sys.stderr)
    rows = [row for name in TASKS for row in compare(name, QUICK if arguments.quick else FULL)]
    for row in rows:
        print(
            f"{row['name']:36} {row['ours']:9.3f} {row['theirs']:9.3f} {row['unit']:6}"
            f"{row['ratio']:7.2f} x"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
