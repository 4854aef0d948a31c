"""The facts of a final model: `final/model.json`, and the figures that bundles repeat.

Plain data, so that what reads a bundle beside the line need not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class MonitorFigures:
    """The quality of a model on the labelled monitor images.

    Attributes:
        figures: What `evaluation.metrics.evaluate` returns, `ece_before` (the calibration error
            before the temperature was set) and `calibrated` (whether it could be set).
    """

    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Return how many labelled monitor images there are."""
        return int(self.figures.get("n", 0))

    @property
    def accuracy(self) -> float:
        """Return the share of images called by their class."""
        return float(self.figures["accuracy"])

    @property
    def right(self) -> int:
        """Return how many images are called by their class."""
        return round(self.accuracy * self.images)

    @property
    def macro_f1(self) -> float:
        """Return the mean F1 over the labelled classes."""
        return float(self.figures["macro_f1"])

    @property
    def calibration_error(self) -> float:
        """Return the expected calibration error with the temperature."""
        return float(self.figures["ece"])

    @property
    def calibration_error_before(self) -> float:
        """Return the expected calibration error without the temperature."""
        return float(self.figures["ece_before"])

    @property
    def escape_rate(self) -> float | None:
        """Return the share of defects that pass without a threshold; None where unknown."""
        return self.figures["escape_rate"]

    @property
    def overkill_rate(self) -> float | None:
        """Return the share of good parts rejected without a threshold; None where unknown."""
        return self.figures["overkill_rate"]


@dataclass(frozen=True)
class MemoryFacts:
    """The memory of a model that knows good parts only.

    Attributes:
        images: Photographs whose patches it was chosen from: nobody called one a defect.
        patches: Patches in it.
        width: Numbers of each patch, 4 bytes each in a bundle.
        usual: The novelty that 99 in 100 good photographs stay below.
        level: Where a map is hot, see `anomaly.maps.hot_level`.
    """

    images: int
    patches: int
    width: int
    usual: float
    level: float

    @property
    def size(self) -> str:
        """Return what it is and takes, in words.

        >>> MemoryFacts(312, 4000, 64, 2.5, 4.0).size
        '4,000 patches of 312 photographs, 1.0 MB'
        """
        megabytes = 4 * self.patches * self.width / 1e6
        return f"{self.patches:,} patches of {self.images:,} photographs, {megabytes:.1f} MB"


@dataclass(frozen=True)
class ModelFacts:
    """The content of `final/model.json`.

    Attributes:
        classes: The class of each logit.
        defects: The classes that are defects; None if none was named.
        temperature: What the logits are divided by.
        labels: Training labels of each class.
        labels_hash: sha256 of the training labels.
        data_hash: sha256 of the training images.
        monitor: Quality on the monitor images.
        contest: How the kind of network was chosen, see `training.contest`; None: it was given.
        memory: What a model of good parts alone remembers; None for one that tells classes apart.
    """

    classes: tuple[str, ...]
    defects: tuple[str, ...] | None
    temperature: float
    labels: Mapping[str, int]
    labels_hash: str
    data_hash: str
    monitor: MonitorFigures
    contest: Mapping[str, Any] | None = None
    memory: MemoryFacts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the file."""
        return {
            "classes": list(self.classes),
            "defects": None if self.defects is None else list(self.defects),
            "temperature": self.temperature,
            "labels": dict(self.labels),
            "labels_hash": self.labels_hash,
            "data_hash": self.data_hash,
            "monitor": dict(self.monitor.figures),
            **({"contest": self.contest} if self.contest else {}),
            **({"memory": asdict(self.memory)} if self.memory else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelFacts:
        """Read the values of a file.

        Raises:
            KeyError: A value is missing.
        """
        return cls(
            classes=tuple(values["classes"]),
            defects=optional_names(values["defects"]),
            temperature=values["temperature"],
            labels=values["labels"],
            labels_hash=values["labels_hash"],
            data_hash=values["data_hash"],
            monitor=MonitorFigures(values["monitor"]),
            contest=values.get("contest"),  # earlier versions trained what they were told to
            memory=MemoryFacts(**values["memory"]) if "memory" in values else None,
        )


def optional_names(names: list[str] | None) -> tuple[str, ...] | None:
    """Return names as a tuple; None stays None, because the files tell it from no name at all."""
    return None if names is None else tuple(names)
