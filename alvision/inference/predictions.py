"""The one numeric form that inference gives and acquisition reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

SampleId = str


@dataclass(frozen=True)
class Predictions:
    """What is known about a set of images; rows of all fields align.

    Attributes:
        ids: The images.
        log_probs: Log-probabilities of N images in K stochastic passes over C classes; K = 1 if
            the model is deterministic. A class of probability 0 is -inf.
        features: The trunk's output, D wide.
        labels: Classes as integers; only labelled images have them.
        scores: A score that was computed inside the pass.
        defects: Which classes are defects, as integers; for labelled images, where a strategy reads
            it.
    """

    ids: tuple[SampleId, ...]
    log_probs: Float[Tensor, "n k c"] | None = None
    features: Float[Tensor, "n d"] | None = None
    labels: Int[Tensor, " n"] | None = None
    scores: Float[Tensor, " n"] | None = None
    defects: tuple[int, ...] | None = None

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.ids)

    def without(self, rows: Int[Tensor, " b"]) -> Predictions:
        """Return the images that are not in `rows`, in the same order."""
        keep = torch.ones(len(self), dtype=torch.bool)
        keep[rows] = False
        left = keep.nonzero().flatten()
        ids = tuple(self.ids[row] for row in left.tolist())
        fields: dict[str, Any] = {
            name: value[left] for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, ids=ids, **fields)


@dataclass(frozen=True)
class Pick:
    """What a strategy chose, in the order of choice.

    Attributes:
        rows: Row numbers into the pool that was handed in, unique; turn them into ids at once.
        scores: The value that each row was chosen for.
        slots: Name of the part of a mixture that chose each row.
        propensity: Probability of each draw given the earlier ones; None if deterministic.
    """

    rows: Int[Tensor, " b"]
    scores: Float[Tensor, " b"]
    slots: tuple[str, ...] | None = None
    propensity: Float[Tensor, " b"] | None = None


@runtime_checkable
class Score(Protocol):
    """A row-independent value of information: higher = more worth labelling."""

    def __call__(self, log_probs: Float[Tensor, "n k c"]) -> Float[Tensor, " n"]:
        """Score N images."""
        ...


@runtime_checkable
class Acquire(Protocol):
    """A selection: chooses n rows of the pool, knowing what is labelled."""

    def __call__(
        self, pool: Predictions, labelled: Predictions, *, n: int, rng: torch.Generator
    ) -> Pick:
        """Choose n unique rows of `pool`."""
        ...
