"""How fast are scores and k-center, and how much memory do they take, against other forms?

    python scripts/benchmark_acquisition.py [--quick] [--json FILE]

Each task runs alone in a fresh process, so that its peak memory is its own, and on one thread, so
that neighbours on the machine disturb it less; results are compared before a figure is told, those
of k-center by their distances, which are equal whichever row a tie goes to. `ratio` is
theirs / ours, so higher is better. scikit-activeml is in the extra `bench`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import figures
import torch
from threadpoolctl import threadpool_limits
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


def matrix_k_center(features: Tensor, known: Tensor, n: int) -> Tensor:
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


def vector_k_center(features: Tensor, known: Tensor, n: int) -> Tensor:
    """Keep the N minima; each pick is one matrix-vector product, ||x||² - 2 x·c + ||c||²."""
    squares = features.square().sum(1)
    nearest = torch.full_like(squares, torch.inf)
    scores = []
    for centre in known:
        nearest = torch.minimum(nearest, squares - 2 * (features @ centre) + centre @ centre)
    for _ in range(n):
        row = int(nearest.argmax())
        scores.append(float(nearest[row].clamp_min(0).sqrt()))
        centre = features[row]
        nearest = torch.minimum(nearest, squares - 2 * (features @ centre) + squares[row])
        nearest[row] = -torch.inf
    return torch.tensor(scores)


def score_task(score: Callable[[Tensor], Tensor], shape: tuple[int, int, int]) -> Callable[[], Any]:
    log_probs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for block in log_probs.split(1000):
        # In place: a second array here would hide the task's own peak.
        block.copy_(block.log_softmax(-1))
    return lambda: score(log_probs)


def own_k_center_task(shape: tuple[int, int, int]) -> Callable[[], Any]:
    total, width, n = shape
    points = torch.randn(total + n, width, generator=torch.Generator().manual_seed(0))
    pool = Predictions(tuple(map(str, range(total))), features=points[:total])
    labelled = Predictions(tuple(map(str, range(n))), features=points[total:])
    return lambda: k_center(pool, labelled, n=n, rng=torch.Generator()).scores


def k_center_task(
    choose: Callable[[Tensor, Tensor, int], Tensor], shape: tuple[int, int, int]
) -> Callable[[], Any]:
    total, width, n = shape
    points = torch.randn(total + n, width, generator=torch.Generator().manual_seed(0))
    return lambda: choose(points[:total], points[total:], n)


def skactiveml_task(shape: tuple[int, int, int]) -> Callable[[], Any]:
    from skactiveml.pool import CoreSet

    total, width, n = shape
    points = torch.randn(total + n, width, generator=torch.Generator().manual_seed(0)).numpy()
    labels = torch.full((total + n,), torch.nan)
    labels[total:] = 0

    def run() -> Tensor:
        strategy = CoreSet(random_state=0)
        rows, distances = strategy.query(
            points, labels.numpy(), batch_size=n, return_utilities=True
        )
        return torch.tensor(distances[range(n), rows], dtype=torch.float32)

    return run


Task = Callable[[Any], Callable[[], Any]]
# Kind, ours, and what it is compared with.
TASKS: dict[str, tuple[str, Task, dict[str, Task]]] = {
    "entropy": (
        "scores",
        lambda s: score_task(entropy, s),
        {"the plain form": lambda s: score_task(plain_entropy, s)},
    ),
    "margin": (
        "scores",
        lambda s: score_task(margin, s),
        {"the plain form": lambda s: score_task(plain_margin, s)},
    ),
    "bald": (
        "scores",
        lambda s: score_task(bald, s),
        {"the plain form": lambda s: score_task(plain_bald, s)},
    ),
    "k_center": (
        "k_center",
        own_k_center_task,
        {
            "the whole matrix": lambda s: k_center_task(matrix_k_center, s),
            "matrix-vector": lambda s: k_center_task(vector_k_center, s),
            "scikit-activeml": skactiveml_task,
        },
    ),
}


def peak_memory() -> float:
    """Return this process's highest memory so far in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; its getrusage also counts the process that started this one
        kilobytes = re.search(r"VmHWM:\s+(\d+)", status.read_text())
        return int(kilobytes[1]) * 1024 / 1e6 if kilobytes else 0.0
    if resource is None:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def forget_peak() -> None:
    """Let the peak start anew from what is in use now, where the system can: Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure(name: str, rival: str | None, sizes: dict[str, Any]) -> dict[str, Any]:
    """Run one task and return its result, wall and CPU seconds, and memory above its input."""
    torch.set_num_threads(1)
    kind, ours, rivals = TASKS[name]
    task = (rivals[rival] if rival else ours)(sizes[kind])
    forget_peak()
    base = peak_memory()
    with threadpool_limits(1):  # NumPy's and scikit-learn's
        wall, cpu = time.perf_counter(), time.process_time()
        result = task()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Below one MB the figure is the allocator's, not the task's.
    memory = max(peak_memory() - base, 1.0)
    return {"result": result.numpy(), "seconds": wall, "cpu": cpu, "memory": memory}


def alone(*arguments: Any) -> dict[str, Any]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def compare(name: str, sizes: dict[str, Any]) -> list[figures.Figure]:
    kind, _, rivals = TASKS[name]
    size = "x".join(map(str, sizes[kind]))
    mine = alone(name, None, sizes)
    rows = []
    for rival in rivals:
        if rival == "scikit-activeml" and not find_spec("skactiveml"):
            print("scikit-activeml is not installed (the extra `bench`): left out", file=sys.stderr)
            continue
        theirs = alone(name, rival, sizes)
        torch.testing.assert_close(
            torch.from_numpy(mine["result"]),
            torch.from_numpy(theirs["result"]),
            rtol=1e-4,
            atol=1e-5,
        )
        rows += [
            figures.figure(f"{name} {size} {what}, {rival}", unit, mine[what], theirs[what])
            for what, unit in UNITS.items()
            if what != "memory" or resource
        ]
    return rows


def run(quick: bool) -> list[figures.Figure]:
    return [row for name in TASKS for row in compare(name, QUICK if quick else FULL)]


if __name__ == "__main__":
    figures.main(__doc__, run)
