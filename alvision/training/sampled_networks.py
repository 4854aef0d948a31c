"""The K networks of a model: its trunk sampled, and its head's passes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alvision.core import seeding
from alvision.inference.pool import LogProbs
from alvision.models.heads import onto_classes
from alvision.models.sampling import Sampled, stochastic
from alvision.training.checkpoint import Model


def trunk_of(model: Model | None, passes: int, seed: int) -> nn.Module | None:
    """Return the trained trunk of a model, sampled where it drops something itself.

    Args:
        model: A model; None, or one without a trunk of its own, has none.
        passes: K; 1 for the whole network alone.
        seed: What its draws follow.
    """
    if model is None or model.module is None or isinstance(model.module.trunk, nn.Identity):
        return None
    trunk = model.module.trunk
    if passes < 2 or not stochastic(trunk):
        return trunk
    return Sampled(trunk, passes, seeding.derive(seed, "trunk"))


def log_probs_of(model: Model | None, classes: Sequence[str], passes: int, seed: int) -> LogProbs:
    """Return what turns features [b,D], or [b,1+K,D], into log-probabilities [b,K,C].

    Args:
        model: A model; None or an unfitted one is uniform.
        classes: The C classes; one that the model does not know has probability 0.
        passes: K.
        seed: What the head's draws follow.
    """
    if model is None or model.module is None:
        shape = (passes, len(classes))
        return lambda features: torch.full((len(features), *shape), -math.log(len(classes)))
    head, known = model.module.eval().head.cpu(), model.classes
    masks = head.masks(passes, torch.Generator().manual_seed(seed))

    def log_probs(features: Tensor) -> Tensor:
        sampled = features if features.ndim == 2 else features[:, 1:]
        return onto_classes(head.passes(sampled, masks), known, classes)

    return log_probs
