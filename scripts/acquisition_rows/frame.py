"""Run a task alone in its own process, and measure the limits of the machine; for all rows."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures
import torch
from threadpoolctl import threadpool_limits

from alvision.inference.predictions import Predictions

try:
    import resource
except ImportError:  # Windows tells no peak
    resource = None  # type: ignore[assignment]

Task = Callable[[], Any]


@dataclass(frozen=True)
class Measured:
    """One task: its result, the fewest seconds of its repeats, its memory.

    Attributes:
        result: Whatever the task returned; tensors as NumPy arrays.
        seconds: Wall time.
        cpu: Time of the process on all its threads.
        memory: Peak above what the input took, in MB; 1 is the least that is reported.
        peak: Peak of the whole process, input and libraries included, in MB.
    """

    result: Any
    seconds: float
    cpu: float
    memory: float
    peak: float


def alone(
    make: Callable[..., Task], *arguments: Any, repeats: int = 1, threads: int = 1
) -> Measured:
    """Build a task in a fresh process and measure it there; `make` stands in a module."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (make, arguments, repeats, threads))


def _measure(
    make: Callable[..., Task], arguments: tuple[Any, ...], repeats: int, threads: int
) -> Measured:
    torch.set_num_threads(threads)
    task = make(*arguments)
    _forget_peak()
    before = peak_memory()
    seconds, cpu, peak = [], [], 0.0
    with threadpool_limits(threads):  # NumPy's and scikit-learn's
        for _ in range(repeats):
            wall, used = time.perf_counter(), time.process_time()
            result = task()
            seconds.append(time.perf_counter() - wall)
            cpu.append(time.process_time() - used)
            peak = peak or peak_memory()  # of one call: what it leaves behind is not the next one's
    result = torch.utils._pytree.tree_map_only(torch.Tensor, lambda t: t.numpy(), result)
    return Measured(result, min(seconds), min(cpu), max(peak - before, 1.0), peak)


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


def _forget_peak() -> None:
    """Let the peak start anew from what is in use now, where the system can: Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def faster(name: str, mine: Measured, theirs: Measured, target: float) -> list[figures.Figure]:
    """Compare times; both wall and CPU seconds must reach the target."""
    return [
        figures.figure(name, "s", mine.seconds, theirs.seconds, target),
        figures.figure(name, "CPU-s", mine.cpu, theirs.cpu, target),
    ]


def within(name: str, unit: str, used: float, allowed: float) -> figures.Figure:
    """Compare a cost with what is allowed."""
    return figures.figure(name, unit, used, allowed, 1.0)


def reached(name: str, unit: str, ours: float, theirs: float) -> figures.Figure:
    """Compare attained values, higher = better: at least theirs, up to rounding."""
    row = figures.figure(name, unit, ours, theirs, 1.0)
    return row | {"ratio": 1.0 if ours >= theirs * (1 - 1e-6) else ours / theirs}


def growth(
    name: str,
    make: Callable[..., Task],
    sizes: dict[str, int],
    doubled: tuple[str, ...],
    repeats: int,
) -> list[figures.Figure]:
    """Double sizes in turn; `ours` is how many times longer it takes, `theirs` linear growth.

    Rows without a target: they tell how the cost grows.
    """
    base = alone(make, *sizes.values(), repeats=repeats).cpu
    rows = []
    for key in doubled:
        more = sizes | {key: 2 * sizes[key]}
        times = alone(make, *more.values(), repeats=repeats).cpu / base
        label = f"{name}: growth, {key} {sizes[key]} to {more[key]}"
        rows.append(figures.figure(label, "times CPU-s", times, 2.0, figures.NO_TARGET))
    return rows


def limit(name: str, what: str, seconds: float, least: float) -> figures.Figure:
    """Compare with the least that the machine could take; the ratio is the share reached."""
    return figures.figure(f"{name}: limit, {what}", "s", seconds, least, figures.NO_TARGET)


@functools.cache
def bandwidth() -> float:
    """Measure how many bytes one thread reads in a second."""
    return 1.0 / alone(_read).seconds * _READ * 4


@functools.cache
def gemm_rate() -> float:
    """Measure how many fp32 operations one thread does in a second of matrix products."""
    return 2 * _SIDE**3 / alone(_multiply, repeats=5).seconds


_READ, _SIDE = 2**27, 1536


def _read() -> Task:
    values = torch.ones(_READ)
    return lambda: values.sum()


def _multiply() -> Task:
    left, right = torch.ones(_SIDE, _SIDE), torch.ones(_SIDE, _SIDE)
    return lambda: (left @ right)[0, 0]


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator with a fixed start."""
    return torch.Generator().manual_seed(seed)


def pool_of(**fields: torch.Tensor) -> Predictions:
    """Return a pool of these fields with ids counted up."""
    total = len(next(iter(fields.values())))
    return Predictions(tuple(map(str, range(total))), **fields)
