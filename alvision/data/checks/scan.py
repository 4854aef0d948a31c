"""Look at every image once: what its file says, a small grey picture and a perceptual hash."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alvision.data.depth import dark, measure
from alvision.data.framing import alike_frame, cut_off, stretch
from alvision.data.image_spec import LETTERBOX, SQUASH
from alvision.data.images import (
    UnreadableImage,
    header_exif,
    load,
    opened,
    register_heic,
    shrink_of,
    upright_size,
)
from alvision.data.storage.stored_path import ImagePath
from alvision.data.threads import ordered_map

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

Progress = Callable[[int, int], None]
THUMBNAIL = 16
"""Side of the small grey pictures: 100,000 of them take 100 MB as unit vectors."""
HASH_SIDE = 16
HASH_BITS = HASH_SIDE**2
EXIF_IFD = 0x8769
MAKE, MODEL, DATE_TIME, DATE_TIME_ORIGINAL = 0x010F, 0x0110, 0x0132, 0x9003
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class FileFacts:
    """Describe a picture by what its file says, without its pixels.

    Attributes:
        format: As the decoder names it, whatever the suffix says, e.g. `JPEG`.
        mode: Pillow's colour mode, e.g. `L` (grey) or `RGB`.
        channels: Number of channels.
        width: Pixels, as stored.
        height: Pixels, as stored.
        bytes: Size of the file.
        camera: EXIF maker and model.
        day: EXIF date of capture, `YYYY-MM-DD`.
        shrink: How many times the evaluation transform makes the picture smaller.
        stretch: How many times it stretches one side more than the other.
        cut_off: The share of the region that it leaves out to keep the proportions.
        frame: The size of a frame with as many pixels that would do neither.
    """

    format: str
    mode: str
    channels: int
    width: int
    height: int
    bytes: int
    camera: str
    day: str
    shrink: float
    stretch: float
    cut_off: float
    frame: tuple[int, int]


@dataclass(frozen=True)
class Scan:
    """Hold what one pass over the readable images found; all columns align with `rows`.

    Attributes:
        rows: Row numbers in the manifest, ascending.
        vectors: Unit vectors [R, D] whose inner product is the likeness of two images.
        bits: Perceptual hashes [R, 256].
        files: What the files say; empty for embeddings.
        unreadable: The other images, with the reason.
        dark: What is to be said where they are read nearly black; None: they are not.
    """

    rows: tuple[int, ...]
    vectors: NDArray[np.float32]
    bits: NDArray[np.bool_]
    files: tuple[FileFacts, ...]
    unreadable: dict[SampleId, str]
    dark: str | None = None


def scan_images(manifest: Manifest, spec: ImageSpec, progress: Progress | None = None) -> Scan:
    """Decode each image once, in threads; embeddings are hashed by random hyperplanes.

    Args:
        manifest: The images.
        spec: The evaluation transform: what it cuts away is not checked.
        progress: Called with (images done, images in all).
    """
    if manifest.features is not None:
        return _scan_features(manifest.features)
    rows, looks, unreadable = [], [], dict(manifest.set_aside)

    def look(path: ImagePath) -> _Look | str:
        try:
            return _look(path, spec)
        except UnreadableImage as problem:
            return problem.reason

    workers = min(8, os.cpu_count() or 1)
    seen = ordered_map(look, manifest.paths, workers=workers, ahead=16 * workers)
    for row, result in enumerate(seen):
        if isinstance(result, str):
            unreadable[manifest.ids[row]] = result
        else:
            rows.append(row)
            looks.append(result)
        if progress:
            progress(row + 1, len(manifest))
    thumbnails = [result.thumbnail for result in looks]
    return Scan(
        rows=tuple(rows),
        vectors=unit_vectors(np.array(thumbnails).reshape(len(looks), THUMBNAIL**2)),
        bits=np.array([result.bits for result in looks], dtype=bool).reshape(-1, HASH_BITS),
        files=tuple(result.facts for result in looks),
        unreadable=unreadable,
        dark=dark(measure(manifest.paths, spec), spec),
    )


def unit_vectors(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Take each row's mean off and scale it to length 1; a flat picture becomes all zero.

    >>> unit_vectors(np.array([[1, 1, 3, 3], [5, 5, 5, 5]])).tolist()
    [[-0.5, -0.5, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]]
    """
    vectors = values.astype(np.float32)
    if vectors.size:
        vectors -= vectors.mean(axis=1, keepdims=True)
    return _normalised(vectors)


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)
    return vectors


@dataclass(frozen=True)
class _Look:
    facts: FileFacts
    thumbnail: NDArray[np.uint8]
    bits: NDArray[np.bool_]


def _look(path: ImagePath, spec: ImageSpec) -> _Look:
    seen = spec if spec.tiles is None else spec.scaled(max(spec.shape))
    if seen.fit == LETTERBOX:  # all images share the bars, and would be alike by them
        seen = replace(seen, fit=SQUASH)
    grey = Image.fromarray(load(path, seen)).convert("L")
    small = grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    return _Look(
        facts=_facts(path, spec),
        thumbnail=np.asarray(small),
        bits=imagehash.phash(grey, hash_size=HASH_SIDE).hash.ravel(),
    )


def _facts(path: ImagePath, spec: ImageSpec) -> FileFacts:
    with opened(path) as image:
        size = upright_size(image, spec)
    register_heic(path)
    with path.open("rb") as file, Image.open(file) as image:
        camera, day = _exif(image)
        return FileFacts(
            format=image.format or UNKNOWN,
            mode=image.mode,
            channels=len(image.getbands()),
            width=image.width,
            height=image.height,
            bytes=path.stat().st_size,
            camera=camera,
            day=day,
            shrink=shrink_of(size, spec),
            stretch=stretch(size, spec),
            cut_off=cut_off(size, spec),
            frame=alike_frame(size, spec),
        )


def _exif(image: Image.Image) -> tuple[str, str]:
    try:
        exif = header_exif(image)
        taken = exif.get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL) or exif.get(DATE_TIME)
    except Exception:  # Cameras write EXIF that no library parses; the picture is still good.
        return UNKNOWN, UNKNOWN
    camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (MAKE, MODEL) if tag in exif)
    return camera or UNKNOWN, str(taken)[:10].replace(":", "-") if taken else UNKNOWN


def _scan_features(features: NDArray[np.float32]) -> Scan:
    vectors = _normalised(features.astype(np.float32) - features.mean(axis=0, dtype=np.float32))
    # The angle of two rows in units of pi is the share of hyperplanes between them
    # (doi 10.1145/509907.509965), so that close rows have close hashes, as pictures have.
    planes = np.random.default_rng(0).standard_normal((features.shape[1], HASH_BITS))
    return Scan(
        rows=tuple(range(len(features))),
        vectors=vectors,
        bits=vectors @ planes.astype(np.float32) > 0,
        files=(),
        unreadable={},
    )
