"""FiftyOne's datasets on disk: `samples.json` with any field, or `labels.json` with one label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_json import Node, shown

FIELD = "ground_truth"
_LISTS = {
    "Classifications": "classifications",
    "Detections": "detections",
    "Polylines": "polylines",
    "Keypoints": "keypoints",
}
_SINGLE = ("Classification", "Detection", "Polyline", "Keypoint")


def read(file: Node) -> list[ForeignImage]:
    """Return the images of a dataset with the labels of one field.

    The field is `ground_truth`, or the only field with labels.

    Raises:
        UserError: Several fields may be meant, or a label is not as FiftyOne writes it.
    """
    return _samples(file) if file["samples"].value is not None else _labels(file)


def content(labels: Mapping[str, str | None], classes: Sequence[str]) -> dict[str, Any]:
    """Return `labels.json` of a FiftyOneImageClassificationDataset.

    Args:
        labels: The class of each image by its name in `data.json`, None where it has none yet.
        classes: The class names.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    targets = {name: None if label is None else numbers[label] for name, label in labels.items()}
    return {"classes": list(classes), "labels": targets}


def _samples(file: Node) -> list[ForeignImage]:
    samples = list(file["samples"])
    field = _field(samples)
    images = []
    for sample in samples:
        name = sample["filepath"].as_(str)
        classes = () if field is None else tuple(_field_labels(sample[field]))
        images.append(ForeignImage(name, classes, sample.where))
    return images


def _field(samples: Sequence[Node]) -> str | None:
    found = {
        key: node
        for sample in samples
        for key, node in sample.items()
        if key == FIELD or (isinstance(node.value, dict) and _kind(node) in (*_LISTS, *_SINGLE))
    }
    if FIELD in found or not found:
        return FIELD if found else None
    if len(found) > 1:
        names = ", ".join(sorted(found))
        first = next(iter(found.values()))
        raise first.wrong(f"labels are in several fields ({names}): call one of them {FIELD}")
    return next(iter(found))


def _field_labels(node: Node) -> Iterator[str]:
    if node.value is None:
        return
    kind = _kind(node)
    if kind in _LISTS:
        for one in node[_LISTS[kind]]:
            yield one["label"].as_(str)
    elif kind in _SINGLE:
        if node["label"].value is not None:
            yield node["label"].as_(str)
    else:
        raise node.wrong(f"{shown(node['_cls'].value)} holds no class: export another field")


def _kind(node: Node) -> str:
    return str(node["_cls"].value).rpartition(".")[2]


def _labels(file: Node) -> list[ForeignImage]:
    classes = None
    if file["classes"].value is not None:
        classes = [name.as_(str) for name in file["classes"]]
    return [
        ForeignImage(name, tuple(_targets(target, classes)), target.where)
        for name, target in file["labels"].items()
    ]


def _targets(target: Node, classes: Sequence[str] | None) -> Iterator[str]:
    value = target.value
    if isinstance(value, list):
        for one in target:
            yield from _targets(one, classes)
    elif isinstance(value, dict):
        yield from _targets(target["label"], classes)
    elif isinstance(value, int) and not isinstance(value, bool) and classes is not None:
        if not 0 <= value < len(classes):
            raise target.wrong(f"{value} is not a number of classes, 0 to {len(classes) - 1}")
        yield classes[value]
    elif value is not None:
        yield target.as_(str)
