"""The statistics of an image that drift is tested on, and those of a bundle's held-out images.

Every statistic is one number: a probability, the novelty, the features along some directions, the
light. Neither torch nor labels are needed, so they are computed beside the line.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.special import log_softmax

from alvision.data.framing import squared
from alvision.data.tiles import overview
from alvision.deploy.bundle.bundle import REFERENCE_STATISTICS, Bundle

DIRECTIONS = 8
"""Directions of the features: every further test makes all of them a little less sensitive."""
LIGHT = ("brightness", "contrast", "sharpness")
PROBABILITY = "probability of "
PICTURES = 200
"""About how many pictures a bundle keeps of its held-out images, to show beside new ones."""
SIDE = 112
"""Pixels of a kept picture, the same as in the reports."""


def statistic_names(classes: Sequence[str]) -> list[str]:
    """Return the name of each statistic of an image.

    >>> statistic_names(["ok", "worn"])[:4]
    ['probability of ok', 'probability of worn', 'novelty', 'strength of the features']
    """
    probabilities = [f"{PROBABILITY}{name}" for name in classes]
    directions = [f"features, direction {i}" for i in range(1, DIRECTIONS + 1)]
    return [*probabilities, "novelty", "strength of the features", *directions, *LIGHT]


def directions(known: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "k d"]:
    """Return the directions in which the features of known images differ most.

    These are the first principal components; if there are fewer, the rest are zeros. They come
    from the known images because a drift test compares two other sets, held-out images and the
    line's, so its guarantee still holds along these directions.

    Args:
        known: Features of known images.
    """
    _, _, found = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
    kept = np.zeros((DIRECTIONS, known.shape[1]), np.float32)
    kept[: min(DIRECTIONS, len(found))] = found[:DIRECTIONS]
    return kept


def measure(
    pixels: UInt8[np.ndarray, "b *grid h w 3"],
    logits: Float[np.ndarray, "b c"],
    features: Float[np.ndarray, "b d"],
    strange: Float[np.ndarray, " b"],
    along: Float[np.ndarray, "k d"],
) -> Float[np.ndarray, "b s"]:
    """Return the statistics of images, in the order of `statistic_names`, [B, S].

    Probabilities are logarithms.

    Args:
        pixels: The images as the network sees them.
        logits: The network's logits.
        features: The network's features.
        strange: How unlike the known ones each image is.
        along: Directions, from `directions`.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    grey = pixels.mean(axis=-1, dtype=np.float32)
    places = tuple(range(1, grey.ndim))
    edges = sum(abs(np.diff(grey, axis=axis)).mean(axis=places) for axis in (-2, -1))
    columns = [
        log_softmax(logits.astype(np.float64), axis=1),
        strange[:, None],
        length,
        features / np.clip(length, 1e-12, None) @ along.T,
        grey.mean(axis=places)[:, None],
        grey.std(axis=places)[:, None],
        edges[:, None],
    ]
    return np.nan_to_num(np.concatenate(columns, axis=1).astype(np.float32))


class ReferenceBuilder:
    """Collects the statistics of held-out images while an export runs them.

    Args:
        known: Features of known images.
        expected: How many images will come; about `PICTURES` of them are kept as pictures.
    """

    def __init__(self, known: Float[np.ndarray, "m d"], expected: int) -> None:
        self._along = directions(known)
        self._every = max(1, -(-expected // PICTURES))
        self._values: list[np.ndarray] = []
        self._pictures: list[bytes] = []

    def add(
        self, pixels: np.ndarray, logits: np.ndarray, features: np.ndarray, strange: np.ndarray
    ) -> None:
        """Add a batch, see `measure`."""
        before = sum(map(len, self._values))
        self._values.append(measure(pixels, logits, features, strange, self._along))
        for i in range(-before % self._every, len(pixels), self._every):
            self._pictures.append(jpeg(overview(pixels[i], SIDE)))

    def write(self, path: Path) -> None:
        """Write the statistics and the pictures, one after the other, without pickle."""
        values = np.concatenate(self._values) if self._values else np.empty((0, 0), np.float32)
        np.savez(
            path,
            facts=values,
            directions=self._along,
            pictures=np.frombuffer(b"".join(self._pictures), np.uint8),
            ends=np.cumsum([len(picture) for picture in self._pictures], dtype=np.int64),
            every=np.int64(self._every),
        )


@dataclass(frozen=True)
class ReferenceStatistics:
    """The statistics of a bundle's held-out images, which the line is compared with.

    Attributes:
        values: Statistics of M images, [M, S].
        directions: Directions of the features that belong to them, [K, D].
        pictures: JPEG of some of the images, by row.
    """

    values: np.ndarray
    directions: np.ndarray
    pictures: dict[int, bytes]


def read_reference(bundle: Bundle) -> ReferenceStatistics:
    """Read the reference statistics of a bundle."""
    content = io.BytesIO(bundle.read(REFERENCE_STATISTICS))
    with np.load(content, allow_pickle=False) as kept:
        data, ends = kept["pictures"].tobytes(), kept["ends"].tolist()
        starts = [0, *ends][: len(ends)]
        rows = range(0, len(kept["facts"]), int(kept["every"]))
        pictures = {i: data[a:b] for i, a, b in zip(rows, starts, ends, strict=True)}
        return ReferenceStatistics(kept["facts"], kept["directions"], pictures)


def jpeg(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return a small picture as JPEG."""
    image = Image.fromarray(pixels)
    if max(image.size) > SIDE:
        width, height = (max(1, round(SIDE * side / max(image.size))) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    image = Image.fromarray(squared(np.asarray(image)))
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=80, optimize=True)
    return file.getvalue()
