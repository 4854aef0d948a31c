"""Check a strategy's input, and work in blocks of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from alvision.inference.predictions import Predictions, Score

# A block of this many numbers stays near the processor, which is faster than one large pass and
# needs no second array of the pool's size. A GPU wants few large blocks instead.
_BLOCK_CPU = 2**20
_BLOCK_GPU = 2**24

# Side of a square tile of a matrix between rows, near the processor too.
_TILE_CPU = 1024
_TILE_GPU = 8192

# Rounding a log-probability moves its probability, the more so the smaller it is.
_SUM_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}


def upcast(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return half precision as fp32; fp32 and fp64 as they are, without a copy."""
    return values.float() if values.dtype in _SUM_TOLERANCE else values


def block_rows(values: Float[Tensor, "n ..."]) -> int:
    """Return how many rows of `values` to work on at a time."""
    numbers = _BLOCK_GPU if values.is_cuda else _BLOCK_CPU
    return max(1, numbers // max(1, values[:1].numel()))


def tile_rows(values: Float[Tensor, "n d"]) -> int:
    """Return how many rows to compare with as many others at a time."""
    return _TILE_GPU if values.is_cuda else _TILE_CPU


def take(predictions: Predictions, rows: Tensor) -> Predictions:
    """Return some rows of all fields."""
    fields: dict[str, Any] = {
        field.name: value[rows.to(value.device)]
        for field in dataclasses.fields(predictions)
        if isinstance(value := getattr(predictions, field.name), Tensor)
    }
    ids = tuple(predictions.ids[row] for row in rows.tolist())
    return dataclasses.replace(predictions, ids=ids, **fields)


def check_count(n: int, pool: Predictions) -> None:
    """Check that `n` rows can be picked; of an empty pool none can, and 0 of it are no rows.

    Raises:
        ValueError: n is negative or larger than the pool.
    """
    if not 0 <= n <= len(pool):
        held = f"the pool has {len(pool)} rows" if len(pool) else "the pool is empty, it has 0 rows"
        raise ValueError(f"n = {n}: {held}, so n must be 0 to {len(pool)}")


def field(predictions: Predictions, name: str, argument: str) -> Tensor:
    """Return a field of `predictions`.

    Args:
        predictions: Where to look.
        name: The field.
        argument: What to call the predictions in a message: `pool` or `labelled`.

    Raises:
        ValueError: The field is missing, or has another number of rows than there are ids.
    """
    values = getattr(predictions, name)
    if values is None:
        raise ValueError(
            f'{argument}.{name} is missing: declare it with @needs("{name}") '
            "so that inference computes it"
        )
    if len(values) != len(predictions):
        raise ValueError(
            f"{argument}.{name} {list(values.shape)}: {len(predictions)} ids need as many rows"
        )
    return values


def features_of(predictions: Predictions, argument: str) -> Float[Tensor, "n d"]:
    """Return the features, checked to be finite; memory O(N).

    Raises:
        ValueError: Missing, not [N, D], or rows hold NaN or infinity.
    """
    features = field(predictions, "features", argument)
    name = f"{argument}.features {list(features.shape)}"
    if features.dim() != 2 or not features.shape[1]:
        raise ValueError(f"{name}: expected [N, D features]")
    blocks = features.split(block_rows(features))
    finite = torch.cat([_finite_rows(block) for block in blocks])
    if not finite.all():
        raise ValueError(f"{name}: NaN or infinity in {rows_of(~finite)}")
    return features


def known_features(labelled: Predictions, features: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
    """Return the labelled images' features, as wide as the pool's; [0, D] if nothing is labelled.

    Args:
        labelled: The labelled images, M of them.
        features: The pool's features.

    Raises:
        ValueError: Missing, not finite, or of another width.
    """
    if not len(labelled):
        return features[:0]
    known = features_of(labelled, "labelled")
    if known.shape[1] != features.shape[1]:
        raise ValueError(
            f"labelled.features {list(known.shape)}: the width differs from "
            f"pool.features {list(features.shape)}"
        )
    return known


def log_probs_of(
    predictions: Predictions, argument: str, passes: int = 1
) -> Float[Tensor, "n k c"]:
    """Return the log-probabilities, checked to be distributions; memory O(N).

    Args:
        predictions: Where to look.
        argument: What to call the predictions in a message: `pool` or `labelled`.
        passes: How many passes are needed at least.

    Raises:
        ValueError: Missing, not [N, K, C], fewer passes, or rows that do not sum to one.
    """
    log_probs = field(predictions, "log_probs", argument)
    name = f"{argument}.log_probs"
    _check_shape(log_probs, name, passes)
    blocks = log_probs.split(block_rows(log_probs))
    check_distributions(
        log_probs, torch.cat([sums_to_one(block, upcast(block).exp()) for block in blocks]), name
    )
    return log_probs


def labels_of(labelled: Predictions, classes: int | None = None) -> Int[Tensor, " m"]:
    """Return the labelled images' classes; there is at least one.

    Args:
        labelled: The labelled images.
        classes: Number of classes, where it is known from log_probs.

    Raises:
        ValueError: No image is labelled; labels are missing, not whole numbers or no classes.
    """
    if not len(labelled):
        raise ValueError("labelled [0]: no image is labelled, and this strategy learns from labels")
    labels = field(labelled, "labels", "labelled")
    name = f"labelled.labels {list(labels.shape)}"
    if labels.dim() != 1 or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"{name} of {labels.dtype}: expected [M] whole numbers, one a class")
    bad = (labels < 0) if classes is None else (labels < 0) | (labels >= classes)
    if bad.any():
        upto = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"{name}: classes count from 0{upto}, not so {rows_of(bad)}")
    return labels.long()


def scores_of(pool: Predictions, score: Score) -> Float[Tensor, " n"]:
    """Return `pool.scores`, computed inside the inference pass, or else `score(pool.log_probs)`.

    Raises:
        ValueError: Neither is there, or a score is NaN or infinite.
    """
    if pool.scores is None and pool.log_probs is not None:
        scores = score(field(pool, "log_probs", "pool"))
    else:
        scores = field(pool, "scores", "pool")
    return check_scores(scores, "pool.scores")


def check_scores(scores: Tensor, argument: str) -> Float[Tensor, " n"]:
    """Return the scores if all are finite, for NaN has no place in an order.

    Raises:
        ValueError: Not [N], or rows hold NaN or infinity.
    """
    name = f"{argument} {list(scores.shape)}"
    if scores.dim() != 1:
        raise ValueError(f"{name}: expected [N], one number a row")
    if not scores.isfinite().all():
        raise ValueError(f"{name}: NaN or infinity in {rows_of(~scores.isfinite())}")
    return scores


def sums_to_one(log_probs: Tensor, p: Tensor) -> Bool[Tensor, " n"]:
    """Tell which rows [n, K, C] hold distributions only, as exactly as their type allows.

    Args:
        log_probs: As they were handed in; their type says how much rounding there is.
        p: Their probabilities in fp32 or better.
    """
    return (p.sum(-1) - 1).abs().amax(1) <= _SUM_TOLERANCE.get(log_probs.dtype, 1e-3)


def check_distributions(log_probs: Tensor, good: Bool[Tensor, " n"], name: str) -> None:
    """Refuse log-probabilities that `sums_to_one` found wanting.

    Raises:
        ValueError: A row is not good.
    """
    if not good.all():
        if log_probs.isnan().any():
            nan = log_probs.flatten(1).isnan().any(1)
            raise ValueError(f"{name} {list(log_probs.shape)}: NaN in {rows_of(nan)}")
        raise ValueError(
            f"{name} {list(log_probs.shape)}: probabilities do not sum to one in "
            f"{rows_of(~good)}; give log_softmax, not logits or probabilities"
        )


def map_rows(log_probs: Tensor, score: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Apply a row-independent score block by block, in fp32 or better, with O(N) memory.

    Args:
        log_probs: Log-probabilities [N, K, C], any float type; -inf is a probability of 0.
        score: Function of a block's probabilities and log-probabilities, both [n, K, C], to [n].

    Returns:
        The scores [N].

    Raises:
        ValueError: Not [N, K, C], or rows whose probabilities do not sum to one.

    >>> map_rows(torch.tensor([[[0.5, 0.5]]]).log(), lambda p, log_p: p.mean(1).amax(1))
    tensor([0.5000])
    """
    _check_shape(log_probs, "log_probs")
    # Filled in place: small results kept between large blocks would leave holes in the memory.
    scores = upcast(log_probs.new_empty(len(log_probs)))
    good = torch.empty_like(scores, dtype=torch.bool)
    rows = block_rows(log_probs)
    for first in range(0, len(log_probs), rows):
        block = slice(first, first + rows)
        log_p = upcast(log_probs[block])
        p = log_p.exp()
        good[block] = sums_to_one(log_probs, p)
        scores[block] = score(p, log_p)
    check_distributions(log_probs, good, "log_probs")
    return scores


def _finite_rows(values: Float[Tensor, "n d"]) -> Bool[Tensor, " n"]:
    # NaN and infinity show in the sum, which is read much faster than a test of every number; a
    # finite row whose sum overflows is tested in full.
    finite = upcast(values).sum(1).isfinite()
    doubtful = ~finite
    finite[doubtful] = values[doubtful].isfinite().all(1)
    return finite


def rows_of(bad: Bool[Tensor, " n"]) -> str:
    """Name the rows that are bad, at most five of them.

    >>> rows_of(torch.tensor([False, True, True]))
    'rows 1, 2'
    """
    rows = bad.nonzero().flatten().tolist()
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:5]))}{more}"


def _check_shape(log_probs: Tensor, name: str, passes: int = 1) -> None:
    shape = f"{name} {list(log_probs.shape)}"
    if log_probs.dim() != 3 or 0 in log_probs.shape[1:]:
        raise ValueError(f"{shape}: expected [N, K passes, C classes]")
    if log_probs.shape[1] < passes:
        raise ValueError(
            f"{shape}: this strategy compares passes and needs K >= {passes} of them; "
            "use a head with dropout"
        )
