"""The one numeric form that inference gives and acquisition reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

SampleId = str


@dataclass(frozen=True)
class Predictions:
    """Predictions for a set of images; rows of all fields align.

    Attributes:
        ids: The images.
        log_probs: Log-probabilities of N images in K stochastic passes over C classes; K = 1 if
            the model is deterministic. A class of probability 0 is -inf.
        features: The trunk's output, D wide.
        labels: Classes as integers; only labelled images have them.
        scores: A score that was computed inside the pass.
        defects: Which classes are defects, as integers; for labelled images, where a strategy reads
            it.
        novelty: How strange each image is among the others, 0 or more; see `alvision.anomaly`.
    """

    ids: tuple[SampleId, ...]
    log_probs: Float[Tensor, "n k c"] | None = None
    features: Float[Tensor, "n d"] | None = None
    labels: Int[Tensor, " n"] | None = None
    scores: Float[Tensor, " n"] | None = None
    defects: tuple[int, ...] | None = None
    novelty: Float[Tensor, " n"] | None = None

    @classmethod
    def of(
        cls,
        ids: Sequence[SampleId] | None = None,
        *,
        log_probs: Any = None,
        probabilities: Any = None,
        logits: Any = None,
        features: Any = None,
        labels: Any = None,
    ) -> Predictions:
        """Make predictions of plain arrays: numpy, torch or lists.

        Args:
            ids: The images; None: `row 0`, `row 1` and so on.
            log_probs: Natural logarithms of class probabilities, [N,C] or [N,K,C] for K passes.
            probabilities: The same as probabilities; give one of the three.
            logits: The same before the softmax.
            features: [N,D].
            labels: Classes as integers, [N].

        Raises:
            ValueError: Shapes do not fit, numbers are NaN, or rows are no probabilities.

        >>> Predictions.of(probabilities=[[0.5, 0.5], [1, 0]]).log_probs.shape
        torch.Size([2, 1, 2])
        """
        chances = {"log_probs": log_probs, "probabilities": probabilities, "logits": logits}
        given = [name for name, values in chances.items() if values is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: give one of them")
        arrays = {name: as_tensor(chances[name]) for name in given}
        if features is not None:
            arrays["features"] = as_tensor(features)
        if labels is not None:
            arrays["labels"] = torch.as_tensor(np.asarray(labels)).long()
        if ids is None:
            ids = [f"row {row}" for row in range(next(map(len, arrays.values()), 0))]
        for name, values in arrays.items():
            if len(values) != len(ids):
                raise ValueError(f"{name}: {len(values)} rows for {len(ids)} images")
        if features is not None:
            _check_features(arrays["features"], ids)
        return cls(
            tuple(ids),
            log_probs=_log_probs(given[0], arrays[given[0]], ids) if given else None,
            features=arrays.get("features"),
            labels=arrays.get("labels"),
        )

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
    """The rows that a strategy chose, in the order of choice.

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


def as_tensor(values: Any) -> Tensor:
    """Return an array of any kind as a floating-point tensor; a tensor stays on its device."""
    tensor = values.detach() if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
    return tensor if tensor.is_floating_point() else tensor.float()


_SUM_TOLERANCE = 1e-3
"""Rounding of a softmax in single precision over some thousand classes stays below it."""


def _log_probs(name: str, values: Tensor, ids: Sequence[SampleId]) -> Tensor:
    """Return [N,C] or [N,K,C] as log-probabilities [N,K,C], checked to be distributions."""
    shape = f"{name} {list(values.shape)}"
    if values.ndim not in (2, 3) or 0 in values.shape[1:]:
        raise ValueError(f"{shape}: expected [N, C classes], or [N, K passes, C classes]")
    values = values if values.ndim == 3 else values[:, None]
    if name == "logits":
        _refuse(~values.isfinite(), f"{shape}: NaN or infinity", ids)
        return values.log_softmax(dim=-1)
    _refuse(values.isnan(), f"{shape}: NaN", ids)
    p = values if name == "probabilities" else values.exp()
    _refuse(p < 0, f"{shape}: a negative probability", ids)
    off = (p.double().sum(dim=-1, keepdim=True) - 1).abs() > _SUM_TOLERANCE
    _refuse(off, f"{shape}: probabilities that do not sum to one", ids)
    return values.log() if name == "probabilities" else values


def _check_features(values: Tensor, ids: Sequence[SampleId]) -> None:
    shape = f"features {list(values.shape)}"
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"{shape}: expected [N, D features]")
    _refuse(~values.isfinite(), f"{shape}: NaN or infinity", ids)


def _refuse(bad: Tensor, what: str, ids: Sequence[SampleId]) -> None:
    rows = bad.flatten(1).any(1).nonzero().flatten().tolist()
    if rows:
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise ValueError(f"{what} in {', '.join(ids[row] for row in rows[:5])}{more}")
