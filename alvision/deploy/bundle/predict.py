"""Run a bundle over any number of images in constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from alvision.anomaly.hot_spots import HotSpot, hot_spots
from alvision.anomaly.maps import photograph_map
from alvision.core.errors import UserError
from alvision.core.walk import files_below, printable
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES
from alvision.data.images import UnreadableImage, load
from alvision.data.pictures import upright_size
from alvision.data.sources.folder import stored_files
from alvision.data.storage.stored_path import ImagePath, StoredPath
from alvision.data.threads import ordered_map
from alvision.data.tiles import together
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.verdict import NO_NUMBERS, Decision

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.deploy.train.labelled_data import LabelledData

BATCH = 32
"""Images that one thread decodes and runs at a time."""


@dataclass(frozen=True)
class Prediction:
    """A bundle's decision about one image.

    Attributes:
        image: Path relative to the folder, with `/`.
        decision: What was decided; None if the image cannot be read or judged.
        reason: Why it cannot, else empty.
        map: Activation map of the called class, [h, w], if maps were asked for.
        size: Width and height of the upright photograph, where its hot spots were looked for.
        spots: Its hot spots; a bundle that has no memory of good parts finds none.
    """

    image: str
    decision: Decision | None
    reason: str = ""
    map: np.ndarray | None = None
    size: tuple[int, int] | None = None
    spots: tuple[HotSpot, ...] = ()


def images_in(folder: ImagePath) -> list[ImagePath]:
    """Return the images of a folder and its subfolders, or below a prefix, in order.

    Raises:
        UserError: There is no such folder, or no image in it.
    """
    files: Iterable[ImagePath]
    if isinstance(folder, StoredPath):
        files = sorted(stored_files(folder), key=str)
    elif folder.is_dir():
        try:
            files = sorted(files_below(folder))
        except OSError as error:
            raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from None
    else:
        raise UserError(f"images={folder} is not a folder: check the path")
    known = SUFFIXES | HEIC_SUFFIXES
    found = [path for path in files if path.suffix.lower() in known]
    if not found:
        raise UserError(f"images={folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    return found


def predict(
    bundle: Bundle,
    paths: Iterable[ImagePath],
    root: ImagePath,
    *,
    maps: bool = False,
    done: Callable[[], object] = lambda: None,
) -> Iterator[Prediction]:
    """Yield a prediction for each image, in order.

    Args:
        bundle: The bundle.
        paths: The images.
        root: The folder that the names are relative to.
        maps: Keep the activation map of each image, and look for its hot spots.
        done: Called after each image.
    """
    cores = os.cpu_count() or 1
    bundle.open(threads=1)  # before the threads start: each of them would open one of its own

    def judge(batch: Sequence[ImagePath]) -> list[Prediction]:
        return _batch(bundle, batch, root, maps)

    # Each core decodes and runs batches of its own, so that no core waits for another.
    batches = _batches(iter(paths), together(bundle.spec, BATCH))
    for predictions in ordered_map(judge, batches, workers=cores, ahead=cores + 1):
        for prediction in predictions:
            yield prediction
            done()


def predictions_for(
    bundle: Bundle,
    labelled: LabelledData,
    ids: Sequence[SampleId],
    *,
    done: Callable[[], object] = lambda: None,
) -> dict[SampleId, Decision]:
    """Run a bundle on labelled images that are not sealed.

    Raises:
        UserError: An image is sealed, or cannot be read or judged.
    """
    sealed = set(labelled.split.seal)
    for id in ids:
        if id in sealed:
            raise UserError(f"{id} is a sealed test image: only alvision threshold may use it")
    manifest = labelled.data.manifest
    paths = [manifest.path(id) for id in ids]
    decisions: dict[SampleId, Decision] = {}
    predictions = predict(bundle, paths, manifest.root, done=done)
    for id, prediction in zip(ids, predictions, strict=True):
        if prediction.decision is None and prediction.reason == NO_NUMBERS:
            raise UserError(
                f"{bundle.folder} gives NaN or infinity for {id}: train and export again"
            )
        if prediction.decision is None:
            raise UserError(
                f"{id} can no longer be judged ({prediction.reason}): put it back, or take it "
                "out of the data set"
            )
        decisions[id] = prediction.decision
    return decisions


def _batches(paths: Iterator[ImagePath], size: int) -> Iterator[list[ImagePath]]:
    while batch := list(islice(paths, size)):
        yield batch


def _batch(
    bundle: Bundle, paths: Sequence[ImagePath], root: ImagePath, maps: bool
) -> list[Prediction]:
    read: list[np.ndarray | str] = []
    for path in paths:
        try:
            read.append(load(path, bundle.spec))
        except UnreadableImage as error:
            read.append(error.reason)
    decided = iter(_decided(bundle, [image for image in read if not isinstance(image, str)], maps))
    predictions = []
    for path, pixels in zip(paths, read, strict=True):
        name = printable(path.relative_to(root).as_posix())  # type: ignore[arg-type]
        if isinstance(pixels, str):
            predictions.append(Prediction(name, None, pixels))
        else:
            decision, map = next(decided)
            reason = NO_NUMBERS if decision is None else ""
            predictions.append(_where(bundle, Prediction(name, decision, reason, map), path))
    return predictions


def strange_pixels(bundle: Bundle, prediction: Prediction) -> np.ndarray:
    """Return how strange each pixel of a photograph is, in levels: from 1 on it is hot, [H, W].

    Args:
        bundle: A bundle with a memory of good parts.
        prediction: Its prediction, with a map and the photograph's size.
    """
    memory, places, size = bundle.manifest.memory, prediction.map, prediction.size
    assert memory is not None and places is not None and size is not None
    grid = places.shape[0], places.shape[1]
    return photograph_map(places.ravel() / memory.level, grid, size, bundle.spec)


def _where(bundle: Bundle, prediction: Prediction, path: ImagePath) -> Prediction:
    memory, places = bundle.manifest.memory, prediction.map
    if memory is None or places is None or prediction.decision is None:
        return prediction
    prediction = replace(prediction, size=upright_size(path, bundle.spec))
    if not places.max() >= memory.level:  # a pixel is never above the strangest place
        return prediction
    return replace(prediction, spots=hot_spots(strange_pixels(bundle, prediction), 1.0))


def _decided(
    bundle: Bundle, pixels: list[np.ndarray], maps: bool
) -> list[tuple[Decision | None, np.ndarray | None]]:
    if not pixels:
        return []
    # One thread: `predict` runs as many batches at once as there are cores.
    output = bundle.run(np.stack(pixels), threads=1)
    decisions = bundle.decide(output)
    if not maps:
        return [(decision, None) for decision in decisions]
    # A network without maps of its classes has one map, which stands for every class.
    columns = np.minimum(output.logits.argmax(axis=1), output.maps.shape[1] - 1)
    return [(decision, output.maps[row, columns[row]]) for row, decision in enumerate(decisions)]
