"""The classifier on top of a trunk: one deterministic network, K sampled ones, or K members."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from alvision.models.own_head import OwnHead, build_own
from alvision.models.standardised import Standardised

Masks = tuple[Tensor, ...]


class Head(Standardised):
    """Linear layers on pooled features, with Monte-Carlo dropout (arXiv 1506.02142) if asked for.

    Dropout -> [Linear hidden -> ReLU -> Dropout] -> Linear. A pass is one draw of the dropout
    masks, the same for every image (consistent dropout, arXiv 1906.08158), so that K passes are K
    networks; the trunk is never run again. A training step draws one such network too: on cached
    features a mask for each image costs several times the step itself and learns nothing more.

    Args:
        width: Number of features, D.
        classes: Number of classes, C.
        kind: `dropout`, or `linear` (deterministic).
        hidden: Width of the hidden layer; 0: none.
        dropout: Probability that a unit is dropped.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        kind: str = "dropout",
        hidden: int = 0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(width)
        self.dropout = dropout if kind == "dropout" else 0.0
        self.first = nn.Linear(width, hidden or classes)
        self.last = nn.Linear(hidden, classes) if hidden else None

    @property
    def stochastic(self) -> bool:
        """Tell whether passes differ from each other."""
        return self.dropout > 0

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Return logits; of one drawn network while training, else of the whole one."""
        masks = self._draw(1, None, features.device) if self.training else None
        return self._logits(features, masks)[:, 0]

    def masks(self, passes: int, generator: torch.Generator) -> Masks:
        """Draw the masks of K passes: one factor, 0 or 1/(1-p), for each pass and unit.

        Args:
            passes: K; a head without dropout has only one pass.
            generator: Where the draws come from.
        """
        return self._draw(passes if self.stochastic else 1, generator, generator.device)

    def passes(self, features: Float[Tensor, "b *k d"], masks: Masks) -> Float[Tensor, "b k c"]:
        """Return the log-probabilities of K passes over the same features, or K features each."""
        return self._logits(features, masks).log_softmax(dim=-1)

    def _draw(self, passes: int, generator: torch.Generator | None, device: torch.device) -> Masks:
        keep = 1 - self.dropout
        widths = [layer.in_features for layer in (self.first, self.last) if layer is not None]
        draws = [torch.rand(passes, w, generator=generator, device=device) for w in widths]
        return tuple((draw < keep).float() / keep for draw in draws)

    def _logits(self, features: Tensor, masks: Masks | None) -> Tensor:
        features = self.standard(features)
        # Masking the weights, not the features, makes K passes one matrix product.
        weight = self.first.weight[None]
        if masks is not None:
            weight = weight * masks[0].to(features.device)[:, None, :]
        if features.ndim == 2:
            out = torch.einsum("bd,khd->bkh", features, weight) + self.first.bias
        else:
            weight = weight.expand(features.shape[1], -1, -1)
            out = torch.einsum("bkd,khd->bkh", features, weight) + self.first.bias
        if self.last is None:
            return out
        hidden = out.relu()
        return self.last(hidden if masks is None else hidden * masks[1].to(features.device))


class Ensemble(Standardised):
    """K heads on the same features, trained at once as one (deep ensembles, arXiv 1612.01474).

    [Linear hidden -> ReLU] -> Linear, K times. Linear heads that differ in their start alone end in
    the same place, so each member also weighs the labelled images by draws of its own, one from
    Exp(1) for each image, scaled to a mean of 1 in each class (the Bayesian bootstrap,
    doi:10.1214/aos/1176345338; no class is ever drawn away). A pass is a member; what the ensemble
    says is the mean of its members' probabilities. The K losses are summed, so that each member
    learns as if it were alone.

    Args:
        width: Number of features, D.
        classes: Number of classes, C.
        members: Number of heads, K.
        hidden: Width of each head's hidden layer; 0: none.
    """

    def __init__(self, width: int, classes: int, members: int, hidden: int = 0) -> None:
        super().__init__(width)
        self.first = _Members(members, width, hidden or classes)
        self.last = _Members(members, hidden, classes) if hidden else None
        self.draws: Tensor
        self.register_buffer("draws", torch.ones(0, members), persistent=False)

    @property
    def stochastic(self) -> bool:
        """Tell whether passes differ from each other."""
        return len(self.first.weight) > 1

    def prepare(self, targets: Int[Tensor, " b"]) -> None:
        """Draw each member's weights of the images that it is trained on."""
        draws = -torch.rand(len(targets), len(self.first.weight)).clamp(min=1e-12).log()
        for target in targets.unique():
            rows = targets == target
            draws[rows] /= draws[rows].mean(0)
        self.draws = draws

    def loss(
        self,
        features: Float[Tensor, "b d"],
        targets: Int[Tensor, " b"],
        weights: Float[Tensor, " c"] | None,
    ) -> Float[Tensor, ""]:
        """Return the members' class-weighted cross entropies, summed over the members."""
        log_p = self.passes(features, ())
        missed = -log_p.gather(2, targets[:, None, None].expand(-1, log_p.shape[1], 1))[:, :, 0]
        share = self.draws if weights is None else self.draws * weights[targets][:, None]
        return ((share * missed).sum(0) / share.sum(0)).sum()

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Return the logarithm of the members' mean probabilities; its softmax is that mean."""
        log_p = self.passes(features, ())
        return log_p.logsumexp(1) - math.log(log_p.shape[1])

    def masks(self, passes: int, generator: torch.Generator) -> Masks:
        """Return nothing: the passes are the members, as many as there are."""
        return ()

    def passes(self, features: Float[Tensor, "b d"], masks: Masks) -> Float[Tensor, "b k c"]:
        """Return the log-probabilities of the K members."""
        features = self.standard(features)
        out = torch.einsum("bd,khd->bkh", features, self.first.weight) + self.first.bias
        if self.last is not None:
            out = torch.einsum("bkh,kch->bkc", out.relu(), self.last.weight) + self.last.bias
        return out.log_softmax(dim=-1)


AnyHead = Head | Ensemble | OwnHead


class _Members(nn.Module):
    """K linear layers side by side, each started as `nn.Linear` starts."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))


def build(
    kind: str | Mapping[str, Any],
    width: int,
    classes: int,
    *,
    hidden: int,
    dropout: float,
    members: int = 1,
) -> AnyHead:
    """Build a head by its kind.

    Args:
        kind: `dropout`, `linear` or `ensemble`; or a node that names a function (width, classes)
            of the user's own, see `alvision.core.doors`.
        width: Number of features, D.
        classes: Number of classes, C.
        hidden: Width of the hidden layer; 0: none.
        dropout: Probability that a dropout head drops a unit.
        members: Number of heads of an ensemble, K.

    Raises:
        UserError: The user's own head cannot be built, or does not map [B,D] to [B,C].
    """
    if not isinstance(kind, str):
        return build_own(kind, width, classes)
    if kind == "ensemble":
        return Ensemble(width, classes, members, hidden)
    return Head(width, classes, kind, hidden, dropout)


def onto_classes(
    log_probs: Float[Tensor, "b k c"], known: Sequence[str], classes: Sequence[str]
) -> Float[Tensor, "b k e"]:
    """Reorder log-probabilities to `classes`; a class that is not known has probability 0.

    >>> onto_classes(torch.zeros(1, 1, 1), ["ok"], ["worn", "ok"])
    tensor([[[-inf, 0.]]])
    """
    if tuple(known) == tuple(classes):
        return log_probs
    absent = log_probs.new_full((*log_probs.shape[:2], 1), -torch.inf)
    columns = [known.index(name) if name in known else -1 for name in classes]
    return torch.cat([log_probs, absent], dim=2)[:, :, columns]
