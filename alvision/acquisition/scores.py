"""Row-independent scores: log_probs [N, K, C] -> [N], higher = more worth labelling.

All read the mean over the K passes, except `bald`, which reads how the passes differ. A probability
of 0 (log-probability -inf) counts as 0 · log 0 = 0. Half precision is computed in fp32. Memory is
O(N): a large pool is worked on in blocks. Each raises ValueError where the probabilities of a row
do not sum to one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.ops import map_rows

# Finite, so that 0 · log 0 is 0 and not NaN; the probability that it stands for is 0 in any type.
_LOG_ZERO = -1e4


@needs("log_probs")
@properties("uncertainty", "deterministic")
def least_confidence(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score how far the expected class is from certain: 1 - max_c p(c), p the mean over passes.

    Lewis and Gale, arXiv cmp-lg/9407020. Range 0 to 1 - 1/C. Cost O(N·K·C).
    Use it where one number, "how sure is the best guess", is what people understand. It ignores
    what the other classes look like, so with many classes margin or entropy tell more; with two
    classes the three give the same order. Like all uncertainty it asks for ambiguous images, and
    loses where the ambiguity is in the label itself.

    >>> least_confidence(torch.tensor([[[0.7, 0.2, 0.1]], [[1.0, 0.0, 0.0]]]).log())
    tensor([0.3000, 0.0000])
    """
    return map_rows(log_probs, lambda p, _: _doubt(p.mean(1)))


@needs("log_probs")
@properties("uncertainty", "deterministic")
def margin(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score how small the gap between the two best classes is: 1 - (p(first) - p(second)).

    p is the mean over passes. Scheffer, Decomain and Wrobel, doi:10.1007/3-540-44816-0_31.
    Range 0 (certain) to 1 (a tie). Cost O(N·K·C).
    The default for frozen features and a small head: it sharpens the boundary between the classes
    that are being confused and is not distracted by a long tail of small probabilities. It loses
    against random where labels themselves are ambiguous, and in large batches from a pool of near
    duplicates, all of which it takes.

    >>> margin(torch.tensor([[[0.7, 0.2, 0.1]], [[0.5, 0.5, 0.0]]]).log())
    tensor([0.5000, 1.0000])
    """
    if log_probs.shape[-1] == 1:
        return least_confidence(log_probs)

    def score(p: Tensor, log_p: Tensor) -> Tensor:
        mean = p.mean(1)
        return _doubt(mean) + mean.topk(2).values[:, 1]

    return map_rows(log_probs, score)


@needs("log_probs")
@properties("uncertainty", "deterministic")
def entropy(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score the entropy of the expected class probabilities: -sum_c p(c) log p(c), in nats.

    p is the mean over passes. Shannon, doi:10.1002/j.1538-7305.1948.tb01338.x; as a query rule:
    Settles, Active Learning Literature Survey (2009). Range 0 to log C. Cost O(N·K·C).
    Use it where all classes matter and the model is calibrated. With many classes a long tail of
    small probabilities raises it for images whose class is clear, and it asks for ambiguous
    labels: there it falls below random sampling.

    >>> entropy(torch.tensor([[[0.5, 0.5]], [[1.0, 0.0]]]).log())
    tensor([0.6931, 0.0000])
    """
    return map_rows(log_probs, lambda p, _: _entropy(p.mean(1)))


@needs("log_probs")
@properties("uncertainty", "deterministic")
def variation_ratio(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score the share of probability outside the modal class: 1 - max_c E_k p_k(c).

    The form of Gal, Islam and Ghahramani, arXiv 1703.02910, over MC-dropout passes; it equals
    `least_confidence` of the mean and has its range, cost, uses and weaknesses. It is kept under
    its own name because that paper's comparisons are told in it.

    >>> variation_ratio(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]).log())
    tensor([0.5000])
    """
    return least_confidence(log_probs)


@needs("log_probs", "passes")
@properties("disagreement", "deterministic")
def bald(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score how much a label would tell about the model: H[E_k p_k] - E_k H[p_k], in nats.

    The mutual information between label and weights, estimated by K MC-dropout passes: Houlsby et
    al., arXiv 1112.5745; Gal, Islam and Ghahramani, arXiv 1703.02910. Range 0 to log C; rounding
    below 0 is cut off. Cost O(N·K·C) and K passes of a head with dropout.
    Use it where labels are noisy: an image that is ambiguous in every pass scores 0, so it does not
    waste labels on coin flips as entropy does. It is noisy for small K (20 is a fair start), says
    little when dropout is weak, and in large batches it takes near duplicates.

    Raises:
        ValueError: K < 2, for a single pass cannot disagree with itself; or bad probabilities.

    >>> bald(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]).log())
    tensor([0.6931, 0.0000])
    """
    if log_probs.shape[1] < 2:
        raise ValueError(
            f"log_probs {list(log_probs.shape)}: bald compares passes and needs K >= 2 of them; "
            "use a head with dropout"
        )

    def score(p: Tensor, log_p: Tensor) -> Tensor:
        expected = -(p * log_p.clamp_min(_LOG_ZERO)).sum(-1).mean(1)
        return (_entropy(p.mean(1)) - expected).clamp_min(0)

    return map_rows(log_probs, score)


def _entropy(p: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    return torch.special.entr(p).sum(-1)


def _doubt(p: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    # The sum of the others, not 1 - max: that rounds to 0 near certainty, and the order of a pool
    # that is mostly learned would be left to its file names.
    return p.scatter(1, p.argmax(1, keepdim=True), 0).sum(1)
