"""The labels that a final model is trained on, and those that it is measured by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId, answer_uuid
from alvision.dataset.dataset import DataSet
from alvision.dataset.people import with_people_choices
from alvision.labels.consensus import consensus, standing
from alvision.run_folder.load import load_run_config_in_place

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.splits import Split


@dataclass(frozen=True)
class LabelledData:
    """Images, their split, and every label that they have now.

    Attributes:
        data: The images and the classes.
        split: Pool, monitor and sealed images.
        groups: The group of each image.
        training: Labels that may be trained on: those of images that are not held out.
        held_out: Labels of held-out images.
        doubtful: Held-out images that somebody answered without naming a class.
    """

    data: DataSet
    split: Split
    groups: Mapping[SampleId, str]
    training: Mapping[SampleId, str]
    held_out: Mapping[SampleId, str]
    doubtful: frozenset[SampleId]

    @property
    def monitor(self) -> list[SampleId]:
        """Return the monitor images that have a class and can be opened, one of each content.

        Copies of a file are one part: counted twice, they would prove what nobody has seen twice.
        """
        hashes, labels = self.data.hashes, self.held_out
        first: dict[str, SampleId] = {}
        for id in self.split.monitor:
            if id in labels and id in hashes:
                first.setdefault(hashes[id], id)
        return sorted(first.values())

    @property
    def labels_hash(self) -> str:
        """Return the sha256 of the training labels, by content and class."""
        hashes = self.data.hashes
        rows = sorted((hashes.get(id, id), label) for id, label in self.training.items())
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @property
    def data_hash(self) -> str:
        """Return the sha256 of the training images, by content."""
        rows = sorted(self.data.hashes.get(id, id) for id in self.training)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def run_config_of_today(root: Path) -> RunConfig:
    """Return a run's configuration, to work in its folder, with what people settled since then.

    A class that was added, or a defect's mark that was changed, after the last round is in the
    labels and not yet in the run's folder.

    Raises:
        UserError: The folder is not a run's, or its images or labels are gone.
    """
    return with_people_choices(load_run_config_in_place(root))


def load_labelled(config: RunConfig) -> LabelledData:
    """Read the labels of a run, or of people, and divide them into training and held-out ones.

    Raises:
        UserError: No image that may be trained on has a label.
    """
    data = DataSet.open(config)
    with data.label_store() as store:
        events = store.events()
    settled = consensus(events, data.resolve)
    known = {id: vote.label for id, vote in settled.items() if vote.label in data.classes}
    held_out = set(data.split.held_out)
    if data.answered_by_people:
        judged = {id: label for id, label in known.items() if id in held_out}
        spoken = {id for id in standing(events, data.resolve) if id in held_out}
    else:
        judged = {id: label for id, label in data.truth.items() if id in held_out}
        spoken = set(judged)
    training = {id: label for id, label in known.items() if id not in held_out}
    if not training:
        raise UserError(
            "no image that may be trained on has a label: label some (alvision run, alvision "
            "labels import), or name data with labels"
        )
    return LabelledData(
        data,
        data.split,
        dict(zip(data.manifest.ids, data.groups, strict=True)),
        training,
        judged,
        frozenset(spoken - judged.keys()),
    )


def import_truth(config: RunConfig) -> None:
    """Store the classes that the data itself names as labels, without those of held-out images.

    This is for data that is labelled already and needs no rounds: class folders, a label column.
    """
    data = DataSet.open(config)
    held_out = set(data.split.held_out)
    Path(str(config.out)).mkdir(parents=True, exist_ok=True)
    events = [
        Event(id, "import", label, "data", 0, answer_uuid("data", 0, id, "data", "import", label))
        for id, label in data.truth.items()
        if id not in held_out
    ]
    with data.label_store() as store:
        store.append(events, hash_of=data.hashes.get)
