"""A classifier's logits with novelty in them, where a run has a memory of patches."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from alvision.anomaly.joined import Joined


def with_novelty(
    logits: Float[Tensor, "n c"],
    novelty: Float[Tensor, " n"],
    joined: Joined,
    bad: Bool[np.ndarray, " c"],
) -> Float[Tensor, "n c"]:
    """Return logits by which an image is a defect as likely as the joined score says.

    The defects among each other, and the good classes, stay as likely as they were.

    Args:
        logits: What the classifier says.
        novelty: How strange each image is.
        joined: The score.
        bad: Whether a class is a defect.
    """
    own = log_odds(logits, bad)
    score = torch.from_numpy(joined(own.numpy(), novelty.double().numpy()))
    moved = (score - own)[:, None] * torch.from_numpy(bad)
    return (logits.double() + moved).to(logits.dtype)


def log_odds(logits: Float[Tensor, "n c"], bad: Bool[np.ndarray, " c"]) -> Float[Tensor, " n"]:
    """Return the log-odds of any defect against any good class, in 64 bits."""
    mask = torch.from_numpy(bad)
    values = logits.double()
    return values[:, mask].logsumexp(dim=1) - values[:, ~mask].logsumexp(dim=1)
