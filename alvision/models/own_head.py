"""A head of the user's own: any module that maps features to logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from alvision.core import doors
from alvision.core.errors import UserError
from alvision.models.sampling import Sampled, stochastic
from alvision.models.standardised import Standardised


class OwnHead(Standardised):
    """A head of the user's own: any module that maps features [B,D] to logits [B,C].

    The module is given standardised features, as every head here. Its dropout modules are sampled K
    times, as a trunk's are; without any it is deterministic, K=1.

    Args:
        module: The module.
        width: Number of features, D.
    """

    def __init__(self, module: nn.Module, width: int) -> None:
        super().__init__(width)
        self.module = module

    @property
    def stochastic(self) -> bool:
        """Tell whether passes differ from each other."""
        return bool(stochastic(self.module))

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Return logits."""
        return self.module(self.standard(features))

    def masks(self, passes: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw what the dropout of K passes follows: a seed, and K itself."""
        seed = torch.randint(2**62, (1,), generator=generator)
        return seed, torch.tensor([passes if self.stochastic else 0])

    def passes(
        self, features: Float[Tensor, "b *k d"], masks: tuple[Tensor, ...]
    ) -> Float[Tensor, "b k c"]:
        """Return the log-probabilities of K passes; of K sampled features, one pass each."""
        if features.ndim == 3:
            flat = self(features.flatten(0, 1))
            return flat.unflatten(0, features.shape[:2]).log_softmax(dim=-1)
        seed, passes = (int(value) for value in masks)
        if not passes:
            return self(features)[:, None].log_softmax(dim=-1)
        logits: Tensor = Sampled(self.module, passes, seed)(self.standard(features))
        return logits[:, 1:].log_softmax(dim=-1)


def build_own(node: Mapping[str, Any], width: int, classes: int) -> OwnHead:
    """Build the user's own head.

    Args:
        node: Names a function (width, classes), see `alvision.core.doors`.
        width: Number of features, D.
        classes: Number of classes, C.

    Raises:
        UserError: It cannot be built, or does not map [B,D] to [B,C].
    """
    make = doors.function(node, "model.head", bare=True)
    what = f"model.head: {node[doors.TARGET]}"
    try:
        module = make(width, classes)
        with torch.inference_mode():
            # Two rows: with one, a mistaken squeeze would go unnoticed.
            shape = tuple(module.eval()(torch.zeros(2, width)).shape)
    except Exception as error:  # code of the user's own fails in ways of its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(f"{what} cannot be used ({reason})") from error
    if shape != (2, classes):
        raise UserError(
            f"{what} maps features [2, {width}] to {list(shape)}; it must give logits "
            f"[2, {classes}]"
        )
    return OwnHead(module.train(), width)
