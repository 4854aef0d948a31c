"""k-center, exact (lazy greedy), against scikit-activeml and against matrix-vector brute force.

The features are non-negative, of some forty directions and noise, as a trunk's are: pure noise
would suit the lazy form better and real duplicates a little worse.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import figures
import numpy as np
import torch
from torch import Tensor

from acquisition_rows import frame
from alvision.acquisition import k_center

NAME = "k_center, exact (lazy greedy)"
N, D, PICKS = 50_000, 512, 1_000
MAPPED = 1_000_000, 256


def features(n: int, d: int) -> Tensor:
    """Return n rows of width d; the first one is the labelled image."""
    rng = frame.generator()
    basis = torch.randn(40, d, generator=rng) / 6
    values = torch.empty(n + 1, d)
    for block in values.split(10_000):
        kinds = torch.randn(len(block), 40, generator=rng)
        noise = torch.randn(len(block), d, generator=rng)
        block.copy_(torch.relu(kinds @ basis + noise / 5))
    return values


def ours(n: int, d: int, picks: int) -> frame.Task:
    values = features(n, d)
    pool, labelled = frame.pool_of(features=values[1:]), frame.pool_of(features=values[:1])
    return lambda: k_center(pool, labelled, n=picks, rng=frame.generator()).rows


def brute_force(n: int, d: int, picks: int, dtype: torch.dtype) -> frame.Task:
    """Keep the N minima; each pick is one matrix-vector product, ||x||² - 2 x·c + ||c||²."""
    values = features(n, d).to(dtype)

    def run() -> Tensor:
        squares = values.square().sum(1)
        nearest = squares - 2 * (values @ values[0]) + squares[0]
        nearest[0] = -1
        rows = []
        for _ in range(picks):
            row = int(nearest.argmax())
            nearest = torch.minimum(nearest, squares - 2 * (values @ values[row]) + squares[row])
            nearest[row] = -1
            rows.append(row - 1)
        return torch.tensor(rows)

    return run


def skactiveml(n: int, d: int, picks: int) -> frame.Task:
    from skactiveml.pool import CoreSet

    values = features(n, d).numpy()
    labels = np.full(n + 1, np.nan)
    labels[0] = 0

    def run() -> Tensor:
        rows = CoreSet(random_state=0).query(values, labels, batch_size=picks)
        return torch.tensor(rows - 1)

    return run


def memory_map(n: int, d: int, picks: int, path: str) -> frame.Task:
    values = torch.from_file(path, shared=True, size=n * d, dtype=torch.float16).view(n, d)
    pool = frame.pool_of(features=values)
    return lambda: (
        k_center(pool, frame.pool_of(features=values[:1]), n=picks, rng=frame.generator()).rows
    )


def same(mine: frame.Measured, theirs: frame.Measured, what: str) -> figures.Figure:
    equal = int((mine.result == theirs.result).sum())
    return frame.reached(f"{NAME}: the picks of {what}", "picks", equal, len(theirs.result))


def rows(repeats: int) -> list[figures.Figure]:
    size, found = f"N={N} D={D} n={PICKS}", []
    mine = frame.alone(ours, N, D, PICKS, repeats=repeats)
    found.append(
        same(mine, frame.alone(brute_force, N, D, PICKS, torch.float64), "brute force in fp64")
    )
    plain = frame.alone(brute_force, N, D, PICKS, torch.float32)
    found += frame.faster(f"{NAME}: matrix-vector brute force, {size}", mine, plain, 10)
    if find_spec("skactiveml"):
        peer = frame.alone(skactiveml, N, D, PICKS)
        found.append(same(mine, peer, "scikit-activeml"))
        found += frame.faster(f"{NAME}: scikit-activeml, {size}", mine, peer, 10)
    else:
        found.append(figures.missing(f"{NAME}: scikit-activeml, {size}"))
    # N bounds of 4 bytes and what each has seen, a block of rows, the picks: no second array N x D.
    allowed = 100 * N / 1e6 + 8 * PICKS * D / 1e6 + 32
    found.append(
        frame.within(f"{NAME}: O(N) memory beside the features, {size}", "MB", mine.memory, allowed)
    )
    n, d = MAPPED
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.fp16"
        with path.open("wb") as file:
            for block in features(n - 1, d).split(10_000):
                block.half().numpy().tofile(file)
        mapped = frame.alone(memory_map, n, d, PICKS, str(path))
    label = f"{NAME}: {n}x{d} fp16 memory map, n={PICKS}"
    found.append(frame.within(label, "MB", mapped.peak, 6_000))
    found += frame.growth(
        NAME, ours, {"N": N // 2, "D": D // 2, "n": PICKS // 2}, ("N", "n", "D"), repeats
    )
    least = N * D * 4 / frame.bandwidth()
    found.append(frame.limit(NAME, f"the features read once, {size}", mine.seconds, least))
    return found
