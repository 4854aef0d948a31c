"""What a bundle says of images whose class is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import predict
from alvision.deploy.train.labelled_data import LabelledData


def monitor_images(labelled: LabelledData) -> list[SampleId]:
    """Return the monitor images that have a class and can be opened."""
    hashes, labels = labelled.data.hashes, labelled.held_out
    return [id for id in labelled.split.monitor if id in labels and id in hashes]


def predictions_for(
    bundle: Bundle,
    labelled: LabelledData,
    ids: Sequence[SampleId],
    *,
    done: Callable[[], None] = lambda: None,
) -> dict[SampleId, dict[str, Any]]:
    """Return a bundle's values for each image, see `predict.Prediction`; no seal is read by it.

    Raises:
        UserError: An image is sealed, or cannot be read.
    """
    sealed = set(labelled.split.seal)
    for id in ids:
        if id in sealed:
            raise UserError(f"{id} is sealed: only alvision threshold may look at it")
    manifest = labelled.data.manifest
    paths = [manifest.path(id) for id in ids]
    said: dict[SampleId, dict[str, Any]] = {}
    predictions = predict(bundle, paths, manifest.root, done=done)
    for id, prediction in zip(ids, predictions, strict=True):
        if prediction.values is None:
            raise UserError(
                f"{id} cannot be read any more ({prediction.reason}): put it back, or take it out "
                "of the data set"
            )
        said[id] = prediction.values
    return said


def escapes(label: str, values: dict[str, Any], defects: Sequence[str]) -> bool:
    """Tell whether a defect passes."""
    return label in defects and values["verdict"] == "pass"


def overkilled(label: str, values: dict[str, Any], defects: Sequence[str]) -> bool:
    """Tell whether a good part is stopped, by the model or for a person to look at."""
    return bool(defects) and label not in defects and values["verdict"] != "pass"
