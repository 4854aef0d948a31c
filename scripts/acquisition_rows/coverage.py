"""TypiClust, ProbCover and both herdings: within 3 GB and 2 minutes, and the plain greedy's picks.

Nothing is labelled, which is the most work because no row is covered yet. The features are those of
k_center.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import figures
import numpy as np
import torch
from torch import Tensor

from acquisition_rows import frame
from acquisition_rows.k_center import features
from alvision.acquisition import max_herding, prob_cover, typiclust, uncertainty_herding
from alvision.acquisition.support.geometry import kernel_width
from alvision.inference.predictions import Predictions

NAME = "TypiClust, ProbCover, both herdings"
N, D, PICKS, THREADS = 100_000, 512, 100, 2
SECONDS, MEGABYTES = 120, 3_000
SMALL = 3_000, 64, 50
RADIUS = 0.7
STRATEGIES: dict[str, Callable[..., object]] = {
    "max_herding": max_herding,
    "uncertainty_herding": uncertainty_herding,
    "typiclust": typiclust,
    "prob_cover": prob_cover,
}


def ours(name: str, n: int, d: int, picks: int, **options: float) -> frame.Task:
    pool = frame.pool_of(features=features(n, d)[1:], scores=weights(n))
    acquire = STRATEGIES[name]
    return lambda: acquire(pool, Predictions(()), n=picks, rng=frame.generator(), **options).rows


def weights(n: int) -> Tensor:
    return torch.rand(n, generator=frame.generator(1))


def plain_greedy(name: str, n: int, d: int, picks: int) -> frame.Task:
    """Weigh every row for every pick, over the whole matrix in fp64."""
    unit = torch.nn.functional.normalize(features(n, d)[1:], dim=1)

    def run() -> Tensor:
        squares = torch.cdist(unit.double(), unit.double()).square()
        if name == "prob_cover":
            k = (squares <= RADIUS**2).double()
        else:
            k = (-squares / kernel_width(unit)).exp()
        worth = weights(n).double() if name == "uncertainty_herding" else torch.ones(n).double()
        covered, rows = torch.zeros(n, dtype=torch.float64), []
        for _ in range(picks):
            gains = worth @ (k - covered[:, None]).relu()
            gains[rows] = -1
            rows.append(int(gains.argmax()))
            covered = torch.maximum(covered, k[:, rows[-1]])
        return torch.tensor(rows)

    return run


def covered(n: int, d: int, rows: np.ndarray) -> float:
    """Return how many rows the balls around some rows hold."""
    unit = torch.nn.functional.normalize(features(n, d)[1:], dim=1).double()
    return float((torch.cdist(unit, unit[torch.from_numpy(rows)]) <= RADIUS).any(1).sum())


def skactiveml(name: str, n: int, d: int, picks: int) -> frame.Task:
    from skactiveml.pool import ProbCover, TypiClust

    unit = torch.nn.functional.normalize(features(n, d)[1:], dim=1).numpy()
    labels = np.full(n, np.nan)
    if name == "prob_cover":
        strategy = ProbCover(n_classes=10, deltas=[RADIUS], random_state=0)
    else:
        strategy = TypiClust(k=20, random_state=0)
    return lambda: torch.tensor(strategy.query(unit, labels, batch_size=picks))


def rows(repeats: int) -> list[figures.Figure]:
    found = []
    for name in STRATEGIES:
        mine = frame.alone(ours, name, N, D, PICKS, threads=THREADS)
        label = f"{NAME}: {name}, {N}x{D}, {PICKS} picks on {THREADS} cores"
        found.append(frame.within(label, "s", mine.seconds, SECONDS))
        found.append(frame.within(label, "MB", mine.peak, MEGABYTES))
        least = N * N * D / (frame.gemm_rate() * THREADS)  # each pair once, 2·D operations
        what = f"{name}, every pair's product once, {N}x{D}"
        found.append(frame.limit(NAME, what, mine.seconds, least))
    n, d, picks = SMALL
    size = f"N={n} D={d} n={picks}"
    for name in ("max_herding", "uncertainty_herding"):
        theirs = frame.alone(plain_greedy, name, n, d, picks)
        mine = frame.alone(ours, name, n, d, picks, repeats=repeats)
        equal = int((mine.result == theirs.result).sum())
        label = f"{NAME}: {name}, the picks of the plain greedy, {size}"
        found.append(frame.reached(label, "picks", equal, picks))
        label = f"{NAME}: {name}, the plain greedy, {size}"
        found.append(figures.figure(label, "s", mine.seconds, theirs.seconds, figures.NO_TARGET))
    found += beside_skactiveml(n, d, picks, repeats)
    sizes = {"N": N // 5, "D": D // 2, "n": PICKS // 2}
    for name in STRATEGIES:
        task, doubled = partial(ours, name), ("N", "D", "n")
        found += frame.growth(f"{NAME}: {name}", task, sizes, doubled, repeats=1)
    return found


def beside_skactiveml(n: int, d: int, picks: int, repeats: int) -> list[figures.Figure]:
    """Compare at a size at which scikit-activeml's N x N matrix is no trouble."""
    found = []
    for name in ("typiclust", "prob_cover"):
        label = f"{NAME}: {name}, scikit-activeml, N={n} D={d} n={picks}"
        if not find_spec("skactiveml"):
            found.append(figures.missing(label))
            continue
        theirs = frame.alone(skactiveml, name, n, d, picks)
        task = partial(ours, radius=RADIUS) if name == "prob_cover" else ours
        mine = frame.alone(task, name, n, d, picks, repeats=repeats)
        if name == "prob_cover":
            held = [covered(n, d, one.result) for one in (mine, theirs)]
            found.append(frame.reached(f"{label}, balls of radius {RADIUS}", "rows covered", *held))
        found.append(figures.figure(label, "s", mine.seconds, theirs.seconds, figures.NO_TARGET))
    return found
