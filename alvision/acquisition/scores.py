"""Row-independent scores: log_probs [N, K, C] -> [N], higher = more worth labelling.

All read the mean over the K passes, except `bald` and `mean_std`, which read how the passes differ,
and `expected_entropy`, which reads what they agree on. A probability of 0 (log-probability -inf)
counts as 0 · log 0 = 0. Half precision is computed in fp32. Memory is O(N): a large pool is worked
on in blocks. Each raises ValueError where the probabilities of a row do not sum to one.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.support.ops import map_rows

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
    its own name because that paper's comparisons use it.

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
    _check_passes(log_probs, "bald")

    def score(p: Tensor, log_p: Tensor) -> Tensor:
        return (_entropy(p.mean(1)) - _expected_entropy(p, log_p)).clamp_min(0)

    return map_rows(log_probs, score)


@needs("log_probs", "passes")
@properties("disagreement", "deterministic")
def mean_std(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score how far the passes spread: the standard deviation over passes, averaged over classes.

    sigma_c = sqrt(E_k p_k(c)² - (E_k p_k(c))²), score = 1/C sum_c sigma_c; Kendall,
    Badrinarayanan and Cipolla, arXiv 1511.02680; as a query rule: Gal, Islam and Ghahramani,
    arXiv 1703.02910. In units of probability: 1/C for passes that split between two classes. Cost
    O(N·K·C) and K passes of a head with dropout.
    Use it like `bald`, where labels are noisy: an image that is ambiguous in every pass scores 0.
    It weighs a change from .5 to .6 like one from 0 to .1, where `bald` counts the second for more,
    so it finds fewer images of classes that the model holds for impossible; it loses where `bald`
    does.

    Raises:
        ValueError: K < 2, for a single pass cannot disagree with itself; or bad probabilities.

    >>> mean_std(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]).log())
    tensor([0.5000, 0.0000])
    """
    _check_passes(log_probs, "mean_std")
    return map_rows(
        log_probs, lambda p, _: (p - p.mean(1, keepdim=True)).square().mean(1).sqrt().mean(1)
    )


@needs("log_probs")
@properties("uncertainty", "deterministic")
def expected_entropy(log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
    """Score what stays uncertain when the model is known: E_k H[p_k], in nats.

    The aleatoric part of `entropy`, which is this plus `bald`: Depeweg et al., arXiv 1710.07283;
    Smith and Gal, arXiv 1803.08533. Range 0 to log C. Cost O(N·K·C); with K = 1 it is `entropy`.
    Use it to find images whose label people will not agree on, to look at them twice or to define
    the class better. As a query rule it loses wherever labels are noisy, since it asks for just
    those, and it is blind to what the model does not know: passes that are each certain of another
    class score 0.

    >>> expected_entropy(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]).log())
    tensor([0.0000, 0.6931])
    """
    return map_rows(log_probs, _expected_entropy)


def _check_passes(log_probs: Tensor, name: str) -> None:
    if log_probs.dim() == 3 and log_probs.shape[1] < 2:
        raise ValueError(
            f"log_probs {list(log_probs.shape)}: {name} compares passes and needs K >= 2 of them; "
            "use a head with dropout"
        )


def _expected_entropy(
    p: Float[Tensor, "n k c"], log_p: Float[Tensor, "n k c"]
) -> Float[Tensor, " n"]:
    return 0 - (p * log_p.clamp_min(_LOG_ZERO)).sum(-1).mean(1)  # never -0


def _entropy(p: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    return torch.special.entr(p).sum(-1)


def _doubt(p: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    # The sum of the others, not 1 - max: that rounds to 0 near certainty, and the order of a pool
    # that is mostly learned would be left to its file names.
    return p.scatter(1, p.argmax(1, keepdim=True), 0).sum(1)
