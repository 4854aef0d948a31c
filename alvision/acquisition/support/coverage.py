"""Greedy maximum coverage of a population by a kernel: lazy, in blocks, no N x N matrix."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.support.geometry import highest_cosine
from alvision.acquisition.support.ops import tile_rows

Kernel = Callable[[Tensor], Tensor]
"""Maps a tensor of cosines to coverages in 0..1, growing with the cosine; may work in place."""

_FEW, _MOST = 16, 256
# Gains closer than this are a tie: they differ by the rounding of the kernel alone.
_RELATIVE, _ABSOLUTE = 2e-6, 1e-7


def rbf(width: float) -> Kernel:
    """Return the kernel exp(-d²/width) of cosines, where d² = 2 - 2 cos.

    >>> rbf(0.5)(torch.tensor([1.0, 0.75]))
    tensor([1.0000, 0.3679])
    """
    return lambda cosine: cosine.sub_(1).clamp_max_(0).mul_(2 / width).exp_()


def cover(
    directions: Float[Tensor, "n d"],
    known: Float[Tensor, "m d"],
    population: Float[Tensor, "p d"],
    weights: Float[Tensor, " p"],
    kernel: Kernel,
    n: int,
    worth: Float[Tensor, " n"],
) -> tuple[list[int], list[float]]:
    """Pick n rows, each the one that adds most to sum_p weights_p max_{j in chosen} k(p, j).

    The same picks as the plain greedy, which weighs every row for every pick: what a row would add
    only shrinks while others are chosen, so an old value is an upper bound, and only rows whose
    bound exceeds the best up-to-date value are weighed anew. Where that would be most of them, all
    bounds are brought up to date at once, from the part of the population that is covered better
    than before.

    Ties are common, for two rows that cover each other alone add the same: they go to the row that
    is worth most itself, then to the one farthest from what is chosen (with nothing chosen: nearest
    the mean), then to the lowest.

    Args:
        directions: The pool, rows of length one.
        known: What is chosen already, rows of length one.
        population: What is to be covered, rows of length one.
        weights: What covering each of it is worth, 0 or more, not all 0.
        kernel: Coverage as a function of the cosine.
        n: Number of picks, at most the pool.
        worth: What each row of the pool is worth itself.

    Returns:
        The rows and what each added, as a share of all weights.
    """
    rows: list[int] = []
    gains: list[float] = []
    if n:
        total = weights.sum(dtype=torch.float64)
        share = (weights / total).to(weights)
        state = _State(directions, known, population, share, kernel, worth)
        for _ in range(n):
            row, gain = state.best()
            state.choose(row)
            rows.append(row)
            gains.append(gain)
    return rows, gains


class _State:
    """Coverage so far, and for every row an upper bound of what it would add.

    Attributes:
        covered: Coverage of the population by what is chosen.
        bound: What each row would have added when it was last weighed; -inf once picked.
        current: Rows that were weighed since the coverage last changed.
        nearest: Cosine of each row with the nearest chosen one; ties go to the smallest.
        base: Coverage at the last time that all rows were weighed, and the gains then.
    """

    def __init__(
        self,
        directions: Tensor,
        known: Tensor,
        population: Tensor,
        weights: Tensor,
        kernel: Kernel,
        worth: Tensor,
    ) -> None:
        self.directions, self.population, self.worth = directions, population, worth
        self.weights, self.kernel = weights, kernel
        if len(known):
            self.nearest = highest_cosine(directions, known)
            self.covered = kernel(highest_cosine(population, known))
        else:
            mean = directions.mean(0, dtype=torch.float64).to(directions)
            # Below every cosine, so that the first pick's replaces it.
            self.nearest = -(directions @ mean) - 3
            self.covered = torch.zeros_like(weights)
        self.base = self.covered, self._add(directions, population, weights, self.covered, None)
        self.bound = self.base[1].to(directions)
        self.current = torch.ones_like(self.bound, dtype=torch.bool)

    def best(self) -> tuple[int, float]:
        """Return the row that adds most, and how much that is."""
        few, spent = _FEW, 0
        while True:
            value = torch.where(self.current, self.bound, -torch.inf)
            best = float(value.max())
            least = best - _RELATIVE * abs(best) - _ABSOLUTE
            stale = torch.where(self.current, -torch.inf, self.bound)
            rivals = int(((stale >= least) & (stale > -torch.inf)).sum())
            if not rivals:
                worth = torch.where(value >= least, self.worth, -torch.inf)
                near = torch.where(worth == worth.max(), self.nearest, torch.inf)
                # argmax of a mask: the first of all that tie.
                row = int((near <= near.min() + _RELATIVE).to(torch.uint8).argmax())
                return row, max(best, 0.0)
            share = (self.covered > self.base[0]).sum() / len(self.covered)
            if 0 < share * len(self.bound) < spent + few:
                self._weigh_all()
                continue
            columns = stale.topk(min(few, rivals)).indices
            gains = self._add(
                self.directions[columns], self.population, self.weights, self.covered, None
            )
            self.bound[columns] = gains.to(self.bound)
            self.current[columns] = True
            spent += len(columns)
            few = min(2 * few, _MOST)

    def choose(self, row: int) -> None:
        """Add a row to what is chosen."""
        ours = self.directions[row]
        self.nearest = torch.maximum(self.nearest, self.directions @ ours)
        self.bound[row] = -torch.inf
        covered = self.kernel(self.population @ ours)
        if (covered > self.covered + _ABSOLUTE).any():
            self.covered = torch.maximum(self.covered, covered)
            self.current = torch.zeros_like(self.current)

    def _weigh_all(self) -> None:
        before, gains = self.base
        changed = (self.covered > before).nonzero().flatten()
        if 2 * len(changed) < len(before):
            part = self.population[changed], self.weights[changed], before[changed]
            gains = gains - self._add(self.directions, *part, self.covered[changed])
        else:
            gains = self._add(self.directions, self.population, self.weights, self.covered, None)
        self.base = self.covered, gains
        # By a difference the gain is rounded, so these are bounds and the best are weighed again.
        self.bound = torch.where(self.bound == -torch.inf, -torch.inf, gains).to(self.bound)

    def _add(
        self,
        columns: Tensor,
        population: Tensor,
        weights: Tensor,
        covered: Tensor,
        later: Tensor | None,
    ) -> Tensor:
        """Return what each column adds to a coverage [fp64], less what it adds to a later one."""
        gains = torch.zeros(len(columns), dtype=torch.float64, device=columns.device)
        tile = tile_rows(columns)
        for first in range(0, len(columns), tile):
            ours = columns[first : first + tile].T
            for start in range(0, len(population), tile):
                here = slice(start, start + tile)
                k = self.kernel(population[here] @ ours)
                more = (k - covered[here, None]).relu_()
                if later is not None:
                    more -= k.sub_(later[here, None]).relu_()
                gains[first : first + tile] += weights[here] @ more
        return gains
