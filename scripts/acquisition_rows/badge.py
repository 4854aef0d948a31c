"""BADGE factorised, against the dense form that builds the gradients, N x C x D numbers."""

from __future__ import annotations

import figures
import torch
from torch import Tensor

from acquisition_rows import frame
from alvision.acquisition import badge
from alvision.acquisition.support.draws import draw_one
from alvision.inference.predictions import Pick, Predictions

NAME = "BADGE"
N, C, D, PICKS = 20_000, 100, 768, 10


def inputs(n: int, c: int, d: int) -> tuple[Tensor, Tensor]:
    rng = frame.generator()
    log_probs = (4 * torch.randn(n, 1, c, generator=rng)).log_softmax(-1)
    return log_probs, torch.relu(torch.randn(n, d, generator=rng))


def ours(n: int, c: int, d: int, picks: int) -> frame.Task:
    log_probs, features = inputs(n, c, d)
    pool, nothing = frame.pool_of(log_probs=log_probs, features=features), Predictions(())
    return lambda: chosen(badge(pool, nothing, n=picks, rng=frame.generator()))


def chosen(pick: Pick) -> tuple[Tensor, Tensor]:
    return pick.rows, pick.propensity


def dense(n: int, c: int, d: int, picks: int) -> frame.Task:
    """Build the gradients, then k-means++ by one matrix-vector product a pick."""
    log_probs, features = inputs(n, c, d)

    def run() -> tuple[Tensor, Tensor]:
        p = log_probs.exp().mean(1)
        p.scatter_add_(1, p.argmax(1, keepdim=True), -torch.ones(n, 1))
        gradients = (p[:, :, None] * features[:, None]).flatten(1)
        lengths = torch.linalg.vector_norm(gradients, dim=1).square()
        weights, nearest = lengths, torch.full_like(lengths, torch.inf)
        left, rng = torch.ones(n, dtype=torch.bool), frame.generator()
        rows, chances = [], []
        for _ in range(picks):
            row, chance = draw_one(weights, left, rng)
            rows.append(row)
            chances.append(chance)
            left[row] = False
            distance = lengths + lengths[row] - 2 * (gradients @ gradients[row])
            weights = nearest = torch.minimum(nearest, distance.clamp_min(0)).where(left, 0)
        return torch.tensor(rows), torch.tensor(chances)

    return run


def rows(repeats: int) -> list[figures.Figure]:
    size = f"{N}x{C}x{D}, n={PICKS}"
    mine = frame.alone(ours, N, C, D, PICKS, repeats=repeats)
    theirs = frame.alone(dense, N, C, D, PICKS)
    # One generator: equal chances at every draw are equal rows.
    equal = int((mine.result[0] == theirs.result[0]).sum())
    own, other = (torch.from_numpy(measured.result[1]) for measured in (mine, theirs))
    torch.testing.assert_close(own, other, rtol=1e-2, atol=0, check_dtype=False)
    found = [frame.reached(f"{NAME}: the draws of the dense form, {size}", "picks", equal, PICKS)]
    found += frame.faster(f"{NAME}: the dense form, {size}", mine, theirs, 100)
    # The N x C errors, the pass over the probabilities that makes them, and vectors of N.
    allowed = 4 * (3 * N * C + 20 * N) / 1e6 + 16
    found.append(frame.within(f"{NAME}: no N·C·D tensor, {size}", "MB", mine.memory, allowed))
    sizes = {"N": N // 2, "C": C // 2, "D": D // 2, "n": PICKS}
    found += frame.growth(NAME, ours, sizes, ("N", "C", "D", "n"), repeats)
    least = (PICKS + 1) * N * (C + D) * 4 / frame.bandwidth()
    what = f"features and errors read for each pick, {size}"
    found.append(frame.limit(NAME, what, mine.seconds, least))
    return found
