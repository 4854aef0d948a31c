"""What every strategy shares: checks of its input, and work in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from alvision.inference.predictions import Predictions

# A block of this many numbers stays near the processor, which is faster than one large pass and
# needs no second array of the pool's size. A GPU wants few large blocks instead.
_BLOCK_CPU = 2**20
_BLOCK_GPU = 2**24

# Rounding a log-probability moves its probability, the more so the smaller it is.
_SUM_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}


def upcast(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return half precision as fp32; fp32 and fp64 as they are, without a copy."""
    return values.float() if values.dtype in _SUM_TOLERANCE else values


def block_rows(values: Float[Tensor, "n ..."]) -> int:
    """Return how many rows of `values` to work on at a time."""
    numbers = _BLOCK_GPU if values.is_cuda else _BLOCK_CPU
    return max(1, numbers // max(1, values[:1].numel()))


def check_count(n: int, pool: Predictions) -> None:
    """Check that `n` rows can be picked.

    Raises:
        ValueError: n is negative or larger than the pool.
    """
    if not 0 <= n <= len(pool):
        raise ValueError(f"n = {n}: the pool has {len(pool)} rows, so n must be 0 to {len(pool)}")


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
        ValueError: Missing, or rows hold NaN or infinity.
    """
    features = field(predictions, "features", argument)
    blocks = features.split(block_rows(features))
    finite = torch.cat([block.isfinite().all(1) for block in blocks])
    if not finite.all():
        raise ValueError(
            f"{argument}.features {list(features.shape)}: NaN or infinity in {_rows(~finite)}"
        )
    return features


def check_scores(scores: Float[Tensor, " n"], argument: str) -> Float[Tensor, " n"]:
    """Return the scores if all are finite, for NaN has no place in an order.

    Raises:
        ValueError: Rows hold NaN or infinity.
    """
    if not scores.isfinite().all():
        raise ValueError(
            f"{argument} {list(scores.shape)}: NaN or infinity in {_rows(~scores.isfinite())}"
        )
    return scores


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
    if log_probs.dim() != 3 or 0 in log_probs.shape[1:]:
        raise ValueError(f"log_probs {list(log_probs.shape)}: expected [N, K passes, C classes]")
    # Filled in place: small results kept between large blocks would leave holes in the memory.
    scores = upcast(log_probs.new_empty(len(log_probs)))
    good = torch.empty_like(scores, dtype=torch.bool)
    rows = block_rows(log_probs)
    for first in range(0, len(log_probs), rows):
        block = slice(first, first + rows)
        log_p = upcast(log_probs[block])
        p = log_p.exp()
        error = (p.sum(-1) - 1).abs().amax(1)
        good[block] = error <= _SUM_TOLERANCE.get(log_probs.dtype, 1e-3)
        scores[block] = score(p, log_p)
    if not good.all():
        raise ValueError(
            f"log_probs {list(log_probs.shape)}: probabilities do not sum to one in "
            f"{_rows(~good)}; give log_softmax, not logits or probabilities"
        )
    return scores


def _rows(bad: Bool[Tensor, " n"]) -> str:
    rows = bad.nonzero().flatten().tolist()
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:5]))}{more}"
