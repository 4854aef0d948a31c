"""All scores at once: 1,000,000 images, 20 passes, 10 classes."""

from __future__ import annotations

from collections.abc import Callable

import figures
import torch
from torch import Tensor

from acquisition_rows import frame
from alvision import acquisition

NAME = "scores"
N, K, C = 1_000_000, 20, 10


def log_probs(n: int, k: int, c: int) -> Tensor:
    values = torch.randn(n, k, c, generator=frame.generator())
    for block in values.split(1000):
        # In place: a second array here would hide the task's own peak.
        block.copy_(block.log_softmax(-1))
    return values


def ours(name: str, n: int, k: int, c: int) -> frame.Task:
    values, score = log_probs(n, k, c), getattr(acquisition, name)
    return lambda: score(values)


def plain(name: str, n: int, k: int, c: int) -> frame.Task:
    values, score = log_probs(n, k, c), PLAIN[name]
    return lambda: score(values)


def _entropy(p: Tensor) -> Tensor:
    return -torch.where(p > 0, p * p.log(), 0).sum(-1)


def _margin(p: Tensor) -> Tensor:
    best = p.sort(descending=True).values
    return 1 - (best[:, 0] - best[:, 1])


PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "least_confidence": lambda v: 1 - v.exp().mean(1).amax(1),
    "margin": lambda v: _margin(v.exp().mean(1)),
    "entropy": lambda v: _entropy(v.exp().mean(1)),
    "variation_ratio": lambda v: 1 - v.exp().mean(1).amax(1),
    "bald": lambda v: _entropy(v.exp().mean(1)) - _entropy(v.exp()).mean(1),
    "mean_std": lambda v: v.exp().std(1, correction=0).mean(1),
    "expected_entropy": lambda v: _entropy(v.exp()).mean(1),
}


def rows(repeats: int) -> list[figures.Figure]:
    found = []
    for name in PLAIN:
        label = f"{NAME}: {name} {N}x{K}x{C}"
        mine = frame.alone(ours, name, N, K, C, repeats=repeats)
        theirs = frame.alone(plain, name, N, K, C)
        torch.testing.assert_close(
            torch.from_numpy(mine.result), torch.from_numpy(theirs.result), rtol=1e-4, atol=1e-5
        )
        found.append(frame.within(f"{label}, memory beyond the input", "MB", mine.memory, 2_000))
        found.append(
            figures.figure(
                f"{label}, the plain form", "s", mine.seconds, theirs.seconds, figures.NO_TARGET
            )
        )
        least = N * K * C * 4 / frame.bandwidth()
        found.append(frame.limit(NAME, f"{name}, the input read once", mine.seconds, least))
    return found
