"""The classifier on top of a trunk, as one deterministic network or as K sampled ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

Masks = tuple[Tensor, ...]


class Head(nn.Module):
    """Linear layers on pooled features, with Monte-Carlo dropout (arXiv 1506.02142) if asked for.

    Dropout -> [Linear hidden -> ReLU -> Dropout] -> Linear. A pass is one draw of the dropout
    masks, the same for every image (consistent dropout, arXiv 1906.08158), so that K passes are K
    networks; the trunk is never run again. A training step draws one such network too: on cached
    features a mask for each image costs several times the step itself and learns nothing more.
    Features are divided by `scale` first, one number that training sets to their root mean square,
    so that no learning rate depends on the trunk.

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
        super().__init__()
        self.dropout = dropout if kind == "dropout" else 0.0
        self.first = nn.Linear(width, hidden or classes)
        self.last = nn.Linear(hidden, classes) if hidden else None
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

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
        # Scaling and masking the weights, not the features, makes K passes one matrix product.
        weight = (self.first.weight / self.scale)[None]
        if masks is not None:
            weight = weight * masks[0].to(features.device)[:, None, :]
        if features.ndim == 2:
            out = torch.einsum("bd,khd->bkh", features.float(), weight) + self.first.bias
        else:
            weight = weight.expand(features.shape[1], -1, -1)
            out = torch.einsum("bkd,khd->bkh", features.float(), weight) + self.first.bias
        if self.last is None:
            return out
        hidden = out.relu()
        return self.last(hidden if masks is None else hidden * masks[1].to(features.device))


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
