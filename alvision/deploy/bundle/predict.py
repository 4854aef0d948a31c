"""Run a bundle over any number of images, in constant memory: a row for each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.data.images import HEIC_SUFFIXES, SUFFIXES, UnreadableImage, load
from alvision.data.threads import ordered_map
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.verdict import COLUMNS, decide

BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """What a bundle says of one image.

    Attributes:
        image: Its path relative to the folder, with `/`.
        values: `COLUMNS` and the probability of each class; None if it cannot be read.
        reason: Why it cannot be read, else empty.
        map: The activation map of the called class, [h, w], where it was asked for.
    """

    image: str
    values: dict[str, Any] | None
    reason: str = ""
    map: np.ndarray | None = None


def columns(bundle: Bundle) -> list[str]:
    """Return the names of the columns of a table of predictions."""
    return ["image", *COLUMNS, *(f"p:{name}" for name in bundle.classes), "reason"]


def row(bundle: Bundle, prediction: Prediction) -> list[Any]:
    """Return a prediction as a row of that table; None where nothing is known."""
    values = prediction.values or {}
    known = [values.get(name) for name in columns(bundle)[1:-1]]
    return [prediction.image, *known, prediction.reason]


def images_in(folder: Path) -> list[Path]:
    """Return the images of a folder and those below it, in order.

    Raises:
        UserError: There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError(f"images={folder} is not a folder: check the path")
    known = SUFFIXES | HEIC_SUFFIXES
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known)
    if not found:
        raise UserError(f"images={folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    return found


def predict(
    bundle: Bundle,
    paths: Iterable[Path],
    root: Path,
    *,
    maps: bool = False,
    done: Callable[[], None] = lambda: None,
) -> Iterator[Prediction]:
    """Yield a prediction for each image, in order; one that cannot be read has its reason.

    Args:
        bundle: The bundle.
        paths: The images.
        root: The folder that the names are relative to.
        maps: Keep the activation map of each image.
        done: Called after each image.
    """
    cores = os.cpu_count() or 1
    bundle.open(threads=1)

    def judge(batch: Sequence[Path]) -> list[Prediction]:
        return _batch(bundle, batch, root, maps)

    # A core decodes and runs batches of its own, so that none waits for another.
    batches = _batches(iter(paths))
    for predictions in ordered_map(judge, batches, workers=cores, ahead=cores + 1):
        for prediction in predictions:
            yield prediction
            done()


def _batches(paths: Iterator[Path]) -> Iterator[list[Path]]:
    while batch := list(islice(paths, BATCH)):
        yield batch


def _batch(bundle: Bundle, paths: Sequence[Path], root: Path, maps: bool) -> list[Prediction]:
    spec = bundle.spec
    read: list[np.ndarray | str] = []
    for path in paths:
        try:
            read.append(load(path, spec))
        except UnreadableImage as error:
            read.append(error.reason)
    told = iter(_told(bundle, [pixels for pixels in read if not isinstance(pixels, str)], maps))
    predictions = []
    for path, pixels in zip(paths, read, strict=True):
        name = path.relative_to(root).as_posix()
        if isinstance(pixels, str):
            predictions.append(Prediction(name, None, pixels))
        else:
            predictions.append(Prediction(name, *next(told)))
    return predictions


def _told(
    bundle: Bundle, pixels: list[np.ndarray], maps: bool
) -> list[tuple[dict[str, Any], str, np.ndarray | None]]:
    if not pixels:
        return []
    output = bundle.run(np.stack(pixels), threads=1)
    rows = decide(output.logits, output.features, bundle.reference, bundle.about, bundle.thresholds)
    names = columns(bundle)[1:-1]
    last = output.maps.shape[1] - 1
    called = output.logits.argmax(axis=1)
    return [
        (
            dict(zip(names, values, strict=True)),
            "",
            output.maps[i, min(called[i], last)] if maps else None,
        )
        for i, values in enumerate(rows)
    ]
