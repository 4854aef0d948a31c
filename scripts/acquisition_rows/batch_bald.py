"""BatchBALD against batchbald-redux, and what the joint labels of both picks tell.

batchbald-redux depends on an experiment tracker that its selection does not use:

    pip install --no-deps batchbald-redux==2.0.5 toma==1.1.0

It gets 10,000 samples, the number of its paper; ours has 40,000 outcomes. More would be slower.
The passes are networks around a mean one, and images come in kinds, so that the best rows by BALD
are near duplicates. What a batch attains is estimated for both with the same million draws.
"""

from __future__ import annotations

from importlib.util import find_spec

import figures
import torch
from torch import Tensor

from acquisition_rows import frame
from alvision.acquisition import batch_bald
from alvision.inference.predictions import Pick, Predictions

NAME = "BatchBALD"
N, K, C, PICKS = 5_000, 100, 10, 10
SAMPLES, OUTCOMES, DRAWS = 10_000, 40_000, 1_000_000


def log_probs(n: int, k: int, c: int) -> Tensor:
    rng, width = frame.generator(), 16
    kinds = torch.randn(100, width, generator=rng)[torch.randint(100, (n,), generator=rng)]
    images = kinds + 0.3 * torch.randn(n, width, generator=rng)
    networks = torch.randn(width, c, generator=rng) + 0.5 * torch.randn(k, width, c, generator=rng)
    return torch.einsum("nw,kwc->nkc", images, networks).log_softmax(-1)


def ours(n: int, k: int, c: int, picks: int) -> frame.Task:
    pool = frame.pool_of(log_probs=log_probs(n, k, c))
    return lambda: chosen(batch_bald(pool, Predictions(()), n=picks, rng=frame.generator()))


def chosen(pick: Pick) -> tuple[Tensor, Tensor]:
    return pick.rows, pick.scores


def redux(n: int, k: int, c: int, picks: int) -> frame.Task:
    from batchbald_redux.batchbald import get_batchbald_batch

    values = log_probs(n, k, c).double()

    def run() -> Tensor:
        torch.manual_seed(0)
        batch = get_batchbald_batch(values, picks, SAMPLES, dtype=torch.double)
        return torch.tensor(batch.indices)

    return run


def information(values: Tensor, draws: int, seed: int = 7) -> float:
    """Estimate I(y_1..y_n; pass) of n rows [n, K, C], in nats, from drawn joint labels."""
    passes = values.shape[1]
    rng, values = frame.generator(seed), values.double()
    which = torch.arange(draws) % passes
    joint = torch.zeros(draws, passes, dtype=torch.float64)
    for row in values:
        label = torch.multinomial(row.exp()[which], 1, generator=rng)[:, 0]
        joint += row.T[label]
    own = joint[torch.arange(draws), which]
    return float((own - joint.logsumexp(1)).mean()) + torch.tensor(passes).log().item()


def attained(rows: Tensor) -> frame.Task:
    values = log_probs(N, K, C)[rows]
    parts = DRAWS // 50_000
    return lambda: sum(information(values, 50_000, seed) for seed in range(parts)) / parts


def rows(repeats: int) -> list[figures.Figure]:
    size, found = f"N={N} K={K} C={C} n={PICKS}", []
    mine = frame.alone(ours, N, K, C, PICKS, repeats=repeats)
    if find_spec("batchbald_redux"):
        peer = frame.alone(redux, N, K, C, PICKS)
        found += frame.faster(f"{NAME}: batchbald-redux, {size}", mine, peer, 10)
        own, other = (
            frame.alone(attained, torch.from_numpy(picks)).result
            for picks in (mine.result[0], peer.result)
        )
        label = f"{NAME}: joint information, batchbald-redux, {size}"
        found.append(frame.reached(label, "nats", own, other))
    else:
        found.append(figures.missing(f"{NAME}: batchbald-redux, {size}"))
    allowed = (OUTCOMES * (12 * K + 80 * C) + 16 * N) / 1e6 + 64
    label = f"{NAME}: the stated memory bound, {size}"
    found.append(frame.within(label, "MB", mine.memory, allowed))
    sizes = {"N": N // 2, "K": K // 2, "C": C, "n": PICKS // 2}
    found += frame.growth(NAME, ours, sizes, ("N", "K", "C", "n"), repeats)
    least = 2 * N * K * C * PICKS * OUTCOMES / frame.gemm_rate()
    what = f"the matrix products of every row at every pick, {size}"
    found.append(frame.limit(NAME, what, mine.seconds, least))
    return found
