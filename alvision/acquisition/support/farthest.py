"""Farthest-first traversal, lazy and yet exact: k-center's picks, and the coreset of a memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alvision.acquisition.support.ops import block_rows, upcast


def farthest_first(
    features: Float[Tensor, "n d"], known: Float[Tensor, "m d"], n: int
) -> tuple[Int[Tensor, " k"], Float[Tensor, " k"]]:
    """Take n times the row that is farthest from everything known or already taken.

    Gonzalez, doi:10.1016/0304-3975(85)90224-5. With nothing known the first row is the one nearest
    the mean of all. A tie goes to the lowest row.

    A row's distance to its nearest centre only shrinks as centres are added, so an old distance is
    an upper bound. Only the rows of the largest bounds are kept up to date; while the best of them
    beats every other bound, no other row is looked at. Time O(N·D·M) and then, at worst, O(N·D·n).
    Memory O(N) beside the features, which may be a memory map, and O(n·D) for the rows taken.

    Args:
        features: Finite; half precision is computed in fp32.
        known: Rows that count as taken already; may be empty.
        n: How many, at most N.

    Returns:
        The rows in the order of choice, and the distance of each when it was taken: Euclidean, 0
        for a first row that nothing was known before.

    >>> farthest_first(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), torch.zeros(1, 1), 2)
    (tensor([3, 2]), tensor([9., 2.]))
    """
    mean = _mean(features)
    bounds = mean.new_full((len(features),), torch.inf)
    rows = torch.empty(n, dtype=torch.int64, device=mean.device)
    scores = mean.new_zeros(n)
    centres = _Rows.of(mean.new_zeros(n, len(mean)), mean)
    done = 0
    if len(known):
        for few in known.split(4096):
            _shrink_all(bounds, features, _Rows.of(few.to(mean.dtype), mean), mean)
    elif n:
        rows[0] = _to_one(features, mean).argmin()
        first = _Rows.of(upcast(features[rows[:1]]), mean)
        centres.put(0, first)
        bounds = _to_one(features, first.values[0])
        bounds[rows[0]] = -1.0
        done = 1
    seen = torch.full_like(bounds, done, dtype=torch.int32)
    while done < n:
        hot, least, excluded = _highest(bounds, max(16, block_rows(features) // 2))
        bound = bounds[hot]
        so_far = _Rows(*(part[:done] for part in centres))
        near = _catch_up(bound, features, hot, seen[hot], so_far, mean)
        while done < n:
            # The first of equals, and `hot` is in the pool's order: a tie goes to the lowest row.
            best = int(bound.argmax())
            score, row = float(bound[best]), int(hot[best])
            if score < least or (score == least and row > excluded):
                break
            rows[done], scores[done] = row, score
            centres.put(done, _Rows.of(near[best : best + 1], mean))
            bound = torch.minimum(bound, _distance(near, near[best]))
            bound[best] = -1.0  # below every distance, so that none is picked twice
            done += 1
        bounds[hot], seen[hot] = bound, done
    return rows, scores


class _Rows(NamedTuple):
    """Rows of features, ready for distances by matrix product."""

    values: Float[Tensor, "b d"]
    centred: Float[Tensor, "b d"]  # about the pool's mean, where a product keeps the most digits
    squares: Float[Tensor, " b"]  # squared lengths of `centred`

    @classmethod
    def of(cls, values: Float[Tensor, "b d"], mean: Float[Tensor, " d"]) -> _Rows:
        centred = values - mean
        return cls(values, centred, centred.square().sum(1))

    def put(self, at: int, one: _Rows) -> None:
        for part, value in zip(self, one, strict=True):
            part[at] = value[0]


def _highest(
    bounds: Float[Tensor, " n"], count: int
) -> tuple[Int[Tensor, " h"], float, int | float]:
    """Return the rows of the highest bounds, the least of them, and the first row left out at it.

    The rows are ascending; of equal bounds the lowest rows are taken.
    """
    least = bounds.topk(min(count, len(bounds))).values[-1]
    above = (bounds > least).nonzero()[:, 0]
    equal = (bounds == least).nonzero()[:, 0]
    room = min(count, len(bounds)) - len(above)
    excluded = int(equal[room]) if len(equal) > room else torch.inf
    return torch.cat([above, equal[:room]]).sort().values, float(least), excluded


def _catch_up(
    bound: Float[Tensor, " h"],
    features: Float[Tensor, "n d"],
    hot: Int[Tensor, " h"],
    seen: Int[Tensor, " h"],
    centres: _Rows,
    mean: Float[Tensor, " d"],
) -> Float[Tensor, "h d"]:
    """Lower the bounds of the hot rows by the centres that each has not seen; return the rows."""
    near = bound.new_empty(len(hot), features.shape[1])
    # Rows that missed about as many centres go together, so that little is computed twice.
    for which in seen.argsort().split(256):
        few, part = _Rows.of(upcast(features[hot[which]]), mean), bound[which]
        _shrink(part, few, _Rows(*(c[int(seen[which].amin()) :] for c in centres)))
        near[which], bound[which] = few.values, part
    return near


def _shrink_all(
    bounds: Float[Tensor, " n"],
    features: Float[Tensor, "n d"],
    centres: _Rows,
    mean: Float[Tensor, " d"],
) -> None:
    rows = block_rows(features)
    for first in range(0, len(features), rows):
        block = slice(first, first + rows)
        _shrink(bounds[block], _Rows.of(upcast(features[block]), mean), centres)


def _shrink(bound: Float[Tensor, " b"], near: _Rows, centres: _Rows) -> None:
    """Lower each bound to the distance to the nearest centre, in place.

    A matrix product finds which centres may be nearer; their distances are then taken anew by the
    difference, because the product loses the digits of small distances: a copy is at exactly 0.
    """
    if len(centres.values) == 0:
        return
    if len(centres.values) == 1:
        torch.minimum(bound, _distance(near.values, centres.values[0]), out=bound)
        return
    lengths = near.squares[:, None] + centres.squares
    product = torch.addmm(lengths, near.centred, centres.centred.T, alpha=-2)
    slack = 4 * near.values.shape[1] ** 0.5 * torch.finfo(bound.dtype).eps * lengths
    closest = (product + slack).amin(1)
    pairs = (product - slack <= torch.minimum(closest, bound.square())[:, None]).nonzero()
    for row, centre in (few.T for few in pairs.split(block_rows(near.values))):
        exact = torch.linalg.vector_norm(near.values[row] - centres.values[centre], dim=1)
        bound.scatter_reduce_(0, row, exact, "amin")


def _to_one(features: Float[Tensor, "n d"], centre: Float[Tensor, " d"]) -> Float[Tensor, " n"]:
    blocks = features.split(block_rows(features))
    return torch.cat([_distance(upcast(block), centre) for block in blocks])


def _distance(values: Float[Tensor, "b d"], centre: Float[Tensor, " d"]) -> Float[Tensor, " b"]:
    return torch.linalg.vector_norm(values - centre, dim=1)


def _mean(features: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    # Summed in fp64, so that the order of the rows does not show in the result.
    total = features.new_zeros(features.shape[1], dtype=torch.float64)
    for block in features.split(block_rows(features)):
        total += block.sum(0, dtype=torch.float64)
    return (total / len(features)).to(upcast(features[:0]).dtype)
