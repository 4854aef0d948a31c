"""Bring patches to numbers that vary alike and each for itself, so that distances mean the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alvision.inference.statistics import measure

FLOOR = 0.01
"""Share of the mean variance that is added to each direction's: one in which patches hardly vary is
rounding, and would be louder than all others."""


@dataclass(frozen=True)
class Whitening:
    """What makes patches comparable: (x - mean) · turn.

    The distance of two patches is then that of Mahalanobis (as in PaDiM, arXiv 2011.08785, here of
    all places together): a small step in a direction in which patches hardly vary counts as much as
    a large one along the grain of a surface.

    Attributes:
        mean: The mean of the patches.
        turn: Their directions, each divided by the patches' deviation along it.
    """

    mean: Float[Tensor, " d"]
    turn: Float[Tensor, "d d"]

    def __call__(self, patches: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Return the patches whitened, in 32 bits."""
        return (patches.float() - self.mean) @ self.turn


def whiten(patches: Float[Tensor, "n d"]) -> Whitening:
    """Measure patches, in 64 bits; each number is first standardised by itself.

    Raises:
        UserError: There are several patches, and all are the same.

    >>> patches = torch.tensor([[1.0, 9.0], [2.0, 9.0], [4.0, 9.0], [5.0, 9.0]])
    >>> whiten(patches)(patches).std(0, correction=0).sort().values.round(decimals=2)
    tensor([0., 1.])
    """
    standard = measure([((), patches)], patches.shape[1])
    ready = standard(patches).double()
    ready = ready - ready.mean(0)
    # A constant number has no variance, and none may divide by nothing.
    variances, directions = torch.linalg.eigh(ready.T @ ready / max(1, len(patches)))
    variances = variances.clamp(min=0)
    scaled = directions / (variances + FLOOR * variances.mean()).clamp(min=1e-12).sqrt()
    return Whitening(standard.mean, (standard.gain.double()[:, None] * scaled).float())
