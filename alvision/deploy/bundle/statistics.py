"""What is kept of each image to tell whether the line changes, and what is usual in a bundle."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.special import log_softmax

from alvision.deploy.bundle.bundle import USUAL, Bundle
from alvision.deploy.bundle.novelty import novelty

DIRECTIONS = 8
LIGHT = ("brightness", "contrast", "sharpness")
PROBABILITY = "probability of "
PICTURES = 200
SIDE = 112
"""Pixels of a kept picture, as those of the reports."""


def statistic_names(classes: Sequence[str]) -> list[str]:
    """Return what each fact of an image is, in words.

    >>> statistic_names(["ok", "worn"])[:4]
    ['probability of ok', 'probability of worn', 'novelty', 'strength of the features']
    """
    probabilities = [f"{PROBABILITY}{name}" for name in classes]
    directions = [f"features, direction {i}" for i in range(1, DIRECTIONS + 1)]
    return [*probabilities, "novelty", "strength of the features", *directions, *LIGHT]


def directions(known: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "k d"]:
    """Return the directions in which the features of known images differ most.

    The first principal components; of fewer, the rest are zeros. Known images are neither the
    reference of a test nor the stream, so tests along these directions stay exact.
    """
    _, _, found = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
    kept = np.zeros((DIRECTIONS, known.shape[1]), np.float32)
    kept[: min(DIRECTIONS, len(found))] = found[:DIRECTIONS]
    return kept


def measure(
    pixels: UInt8[np.ndarray, "b h w 3"],
    logits: Float[np.ndarray, "b c"],
    features: Float[np.ndarray, "b d"],
    known: Float[np.ndarray, "m d"],
    along: Float[np.ndarray, "k d"],
) -> Float[np.ndarray, "b s"]:
    """Return the facts of images, in the order of `statistic_names`; probabilities as logarithms.

    Args:
        pixels: As the network sees them.
        logits: What it says.
        features: Its features.
        known: Features of known images, for the novelty.
        along: Directions, of `directions`.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    grey = pixels.mean(axis=3, dtype=np.float32)
    edges = abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + abs(np.diff(grey, axis=2)).mean((1, 2))
    columns = [
        log_softmax(logits.astype(np.float64), axis=1),
        novelty(features, known)[:, None],
        length,
        features / np.clip(length, 1e-12, None) @ along.T,
        grey.mean(axis=(1, 2))[:, None],
        grey.std(axis=(1, 2))[:, None],
        edges[:, None],
    ]
    return np.nan_to_num(np.concatenate(columns, axis=1).astype(np.float32))


class ReferenceBuilder:
    """Gathers the facts of held-out images while an export looks at them.

    Args:
        known: Features of known images.
        expected: How many images will come; of so many about `PICTURES` are kept as pictures.
    """

    def __init__(self, known: Float[np.ndarray, "m d"], expected: int) -> None:
        self._known, self._along = known, directions(known)
        self._every = max(1, -(-expected // PICTURES))
        self._facts: list[np.ndarray] = []
        self._pictures: list[bytes] = []

    def add(self, pixels: np.ndarray, logits: np.ndarray, features: np.ndarray) -> None:
        """Note a batch."""
        before = sum(map(len, self._facts))
        self._facts.append(measure(pixels, logits, features, self._known, self._along))
        for i in range(-before % self._every, len(pixels), self._every):
            self._pictures.append(jpeg(pixels[i]))

    def write(self, path: Path) -> None:
        """Write what is usual, without pickle: numbers, and the pictures one after the other."""
        facts = np.concatenate(self._facts) if self._facts else np.empty((0, 0), np.float32)
        np.savez(
            path,
            facts=facts,
            directions=self._along,
            pictures=np.frombuffer(b"".join(self._pictures), np.uint8),
            ends=np.cumsum([len(picture) for picture in self._pictures], dtype=np.int64),
            every=np.int64(self._every),
        )


@dataclass(frozen=True)
class ReferenceStatistics:
    """What is usual: facts of held-out images [M,S], directions [K,D], pictures of some rows."""

    facts: np.ndarray
    directions: np.ndarray
    pictures: dict[int, bytes]


def read_reference(bundle: Bundle) -> ReferenceStatistics:
    """Read what is usual in a bundle."""
    with np.load(bundle.folder / USUAL, allow_pickle=False) as kept:
        data, ends = kept["pictures"].tobytes(), kept["ends"].tolist()
        starts = [0, *ends][: len(ends)]
        rows = range(0, len(kept["facts"]), int(kept["every"]))
        pictures = {i: data[a:b] for i, a, b in zip(rows, starts, ends, strict=True)}
        return ReferenceStatistics(kept["facts"], kept["directions"], pictures)


def jpeg(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return a small picture as JPEG."""
    image = Image.fromarray(pixels)
    if max(image.size) > SIDE:
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=80, optimize=True)
    return file.getvalue()
