"""k-center (core-set): cover the pool by rows that are far from everything labelled."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.ops import block_rows, check_count, features_of, known_features, upcast
from alvision.inference.predictions import Pick, Predictions


@needs("features")
@properties("deterministic", "distance")
def k_center(pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator) -> Pick:
    """Take n times the row that is farthest from everything labelled or already picked.

    Exact farthest-first traversal, at most twice the best possible covering radius:
    row = argmax_i min_{j in labelled + picked} ||x_i - x_j||. Sener and Savarese, arXiv 1708.00489;
    Gonzalez, doi:10.1016/0304-3975(85)90224-5. Scores are these distances (Euclidean, in the
    features' unit). A tie goes to the lowest row, copies of a chosen row come last. Half precision
    is computed in fp32. Cost O(N·D·(n + labelled)); memory O(N) beside the features.

    With nothing labelled there is no distance to begin with: the first pick is then the row nearest
    the pool's mean, a typical image, and scores 0.

    Use it for a cold start and where the features are good and the kinds of image many. It looks
    for the unusual, not for the boundary between classes, so once a model has learned something
    uncertainty needs fewer labels, and outliers (dust, a bad exposure) are among its first picks.

    Raises:
        ValueError: n is negative or larger than the pool; features are missing, hold NaN or
            infinity, or differ in width between pool and labelled.

    >>> features = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> pool = Predictions(("a", "b", "c", "d"), features=features)
    >>> k_center(pool, Predictions(()), n=3, rng=torch.Generator())
    Pick(rows=tensor([2, 3, 0]), scores=tensor([0., 7., 2.]), slots=None, propensity=None)
    """
    check_count(n, pool)
    features = features_of(pool, "pool")
    known = known_features(labelled, features)
    nearest = _to_nearest(features, known) if len(known) else None
    rows: list[int] = []
    scores: list[float] = []
    for _ in range(n):
        if nearest is None:
            row, score = _most_typical(features), 0.0
            nearest = _to_one(features, features[row])
        else:
            # argmax gives the first of equals; -1 is below every distance, so none is picked twice.
            row = int(nearest.argmax())
            score = float(nearest[row])
            nearest = torch.minimum(nearest, _to_one(features, features[row]))
        nearest[row] = -1.0
        rows.append(row)
        scores.append(score)
    device = features.device
    return Pick(
        torch.tensor(rows, dtype=torch.int64, device=device),
        torch.tensor(scores, dtype=upcast(features[:0]).dtype, device=device),
    )


def _to_one(features: Float[Tensor, "n d"], centre: Float[Tensor, " d"]) -> Float[Tensor, " n"]:
    # The difference form: unlike ||x||² - 2x·c + ||c||² it gives exactly 0 for a copy, whatever the
    # features' offset, and it is limited by the same single read of the features.
    return torch.cat(
        [
            torch.cdist(
                upcast(block),
                upcast(centre)[None],
                compute_mode="donot_use_mm_for_euclid_dist",
            )[:, 0]
            for block in features.split(block_rows(features))
        ]
    )


def _to_nearest(features: Float[Tensor, "n d"], known: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    # A matrix product finds which known row is nearest, at a fraction of the cost; its distance is
    # then taken anew, because the product loses the digits of small distances.
    known = upcast(known).to(upcast(features[:0]).dtype)
    mean = _mean(features)
    centred = known - mean
    squares = centred.square().sum(1)
    parts = []
    for block in features.split(block_rows(features)):
        block = upcast(block)
        best = torch.full((len(block),), torch.inf, dtype=block.dtype, device=block.device)
        row = torch.zeros(len(block), dtype=torch.int64, device=block.device)
        for first in range(0, len(known), 4096):
            few = slice(first, first + 4096)
            value, index = (squares[few] - 2 * (block - mean) @ centred[few].T).min(1)
            row = torch.where(value < best, index + first, row)
            best = torch.minimum(value, best)
        parts.append(torch.linalg.vector_norm(block - known[row], dim=1))
    return torch.cat(parts)


def _most_typical(features: Float[Tensor, "n d"]) -> int:
    return int(_to_one(features, _mean(features)).argmin())


def _mean(features: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    # Summed in fp64, so that the order of the rows does not show in the result.
    total = features.new_zeros(features.shape[1], dtype=torch.float64)
    for block in features.split(block_rows(features)):
        total += block.sum(0, dtype=torch.float64)
    return (total / len(features)).to(upcast(features[:0]).dtype)
