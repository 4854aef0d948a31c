"""The mean and the deviation of each feature over a pool, which every head standardises by."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically

FILE = "features.npz"
"""A run keeps its statistics under this name."""

STEADY = 1e-5
"""A feature whose deviation is below so much of its size is constant: the rest is rounding."""

TINY = 1e-30
"""A smaller deviation is none either: what it would be divided by has no inverse in 32 bits."""


@dataclass(frozen=True)
class Statistics:
    """What standardises features: (x - mean) · gain, one number of each for a feature.

    Attributes:
        mean: The pool's mean.
        gain: 1 over the pool's deviation, or over the median of all features' deviations where that
            is larger; 0 for a feature that is constant there.
    """

    mean: Float[Tensor, " d"]
    gain: Float[Tensor, " d"]

    def __call__(self, features: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Return the features standardised, in 32 bits.

        >>> Statistics(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0]))(torch.tensor([[4.0, 9]]))
        tensor([[6., 0.]])
        """
        return (features.float() - self.mean) * self.gain


def unchanged(width: int) -> Statistics:
    """Return the statistics that leave D features as they are."""
    return Statistics(torch.zeros(width), torch.ones(width))


def measure(chunks: Iterable[tuple[object, Tensor]], width: int) -> Statistics:
    """Measure features chunk by chunk, in 64 bits; the memory is that of one chunk.

    gain_d = 1 / max(s_d, median s), s the deviations of the features that vary. Divided by its own
    deviation, a feature that is zero for nearly every image would be louder than any other for the
    few that have it: the floor is worth .01 macro-F1 (docs/features.md).

    Args:
        chunks: Ids and features [b,D].
        width: D.

    Returns:
        The statistics; those that change nothing where there is no image.

    Raises:
        UserError: Two images or more, and every feature is the same for all of them.
    """
    from sklearn.preprocessing import StandardScaler

    scaler, seen = StandardScaler(), 0
    for _, features in chunks:
        if len(features):
            scaler.partial_fit(features.double().numpy())
            seen += len(features)
    if not seen:
        return unchanged(width)
    mean, deviation = scaler.mean_, np.sqrt(scaler.var_)
    varies = deviation > np.maximum(STEADY * np.hypot(mean, deviation), TINY)
    if seen > 1 and not varies.any():
        raise UserError(
            f"the features of all {seen} images of the pool are the same, so nothing can be "
            "learned from them: look at the images (alvision check), or take another model.backbone"
        )
    gain = np.zeros_like(deviation)
    if varies.any():
        gain[varies] = 1 / np.maximum(deviation[varies], np.median(deviation[varies]))
    return Statistics(torch.from_numpy(mean).float(), torch.from_numpy(gain).float())


def once(path: Path | None, trunk: str, make: Callable[[], Statistics]) -> Statistics:
    """Return a run's statistics from its file; if there is none yet, make and write it first.

    Photographs that come later change nothing about the heads that are trained already.

    Args:
        path: The file; None: make the statistics and keep them nowhere.
        trunk: The fingerprint of what gives the features.
        make: Measures them.

    Raises:
        UserError: The file is damaged, or belongs to the features of another trunk.
    """
    if path is None:
        return make()
    if not path.exists():
        made = make()
        write_atomically(path, lambda beside: _write(made, trunk, beside))
    return _read(path, trunk)


def _write(statistics: Statistics, trunk: str, path: Path) -> None:
    with path.open("wb") as file:  # a name would get .npz appended
        np.savez(
            file,
            mean=statistics.mean.numpy(),
            gain=statistics.gain.numpy(),
            trunk=np.array(trunk),
        )


def _read(path: Path, trunk: str) -> Statistics:
    try:
        # From memory: numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            mean, gain, of = content["mean"], content["gain"], str(content["trunk"])
            if mean.shape != gain.shape or mean.dtype != np.float32 or gain.dtype != np.float32:
                raise ValueError("its arrays do not fit each other")
    except Exception as error:  # a damaged archive raises errors of many kinds
        raise UserError(
            f"{path} cannot be read; delete it, and it is measured again from the pool of today"
        ) from error
    if of != trunk:
        raise UserError(
            f"{path} belongs to the features of another trunk; use the weights that the run began "
            "with, or another out="
        )
    return Statistics(torch.from_numpy(mean), torch.from_numpy(gain))
