"""`bundle.json`: what a bundle says about itself.

Plain data: neither the network nor torch is needed to read it. The file keeps its keys and their
order, because bundles that were exported earlier must open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from alvision.data.image_spec import ImageSpec
from alvision.deploy.train.model_facts import MemoryFacts, MonitorFigures, optional_names

FORMAT = 2
"""Version of the folder. Raise it when an older alvision would misread a newer bundle."""


@dataclass(frozen=True)
class NoveltyScale:
    """The scale of novelty, see `verdict.novelty`.

    Attributes:
        neighbours: Known images that the distance is averaged over.
        usual: The distance that 99 in 100 held-out images stay below; a novelty of 1.
    """

    neighbours: int
    usual: float


@dataclass(frozen=True)
class GoldenImage:
    """An image inside the bundle with the logits that it must give: proof of a whole copy."""

    file: str
    logits: tuple[float, ...]


@dataclass(frozen=True)
class BundleManifest:
    """The content of `bundle.json`.

    What a verdict needs has no default; the rest describes the bundle to people.

    Attributes:
        classes: The class of each logit.
        image: How a file becomes what the network sees.
        novelty: How novelty is measured.
        files: sha256 of every other file, by its path in the bundle.
        defects: The classes that are defects; None if none was named.
        temperature: What the logits are divided by.
        format: `FORMAT` of the alvision that wrote the bundle.
        alvision: Its version.
        versions: Versions of the packages that wrote the network.
        run: The run's folder, as the export was given it.
        name: Name of the run.
        backbone: Name of the network.
        activation_map: `classes` (a map per class), `energy` (one map for all) or `distances` (how
            unlike all that it remembers each place is).
        labels: Training labels of each class.
        trained_on: sha256 of every training image, sorted.
        labels_hash: sha256 of the training labels.
        data_hash: sha256 of the training images.
        monitor: Quality on the monitor images.
        memory: What it remembers, if it knows good parts only; novelty is told by that then.
        tolerance: How far a backend's logit may be off, as a share of the largest.
        golden: Images with their logits.
    """

    classes: tuple[str, ...]
    image: ImageSpec
    novelty: NoveltyScale
    files: Mapping[str, str]
    defects: tuple[str, ...] | None = None
    temperature: float = 1.0
    format: int = FORMAT
    alvision: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    name: str = ""
    backbone: str = ""
    activation_map: str = "energy"
    labels: Mapping[str, int] = field(default_factory=dict)
    trained_on: tuple[str, ...] = ()
    labels_hash: str = ""
    data_hash: str = ""
    monitor: MonitorFigures = field(default_factory=MonitorFigures)
    tolerance: float = 0.0
    golden: tuple[GoldenImage, ...] = ()
    memory: MemoryFacts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the file."""
        return {
            "format": self.format,
            "alvision": self.alvision,
            "versions": dict(self.versions),
            "run": self.run,
            "name": self.name,
            "backbone": self.backbone,
            "classes": list(self.classes),
            "defects": None if self.defects is None else list(self.defects),
            "image": self.image.to_dict(),
            "temperature": self.temperature,
            "activation_map": self.activation_map,
            "novelty": asdict(self.novelty),
            "labels": dict(self.labels),
            "trained_on": list(self.trained_on),
            "labels_hash": self.labels_hash,
            "data_hash": self.data_hash,
            "monitor": dict(self.monitor.figures),
            **({"memory": asdict(self.memory)} if self.memory else {}),
            "tolerance": self.tolerance,
            "golden": [{"file": one.file, "logits": list(one.logits)} for one in self.golden],
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BundleManifest:
        """Read the values of a file; descriptions that are missing stay empty.

        Raises:
            KeyError: A value that a verdict needs is missing.
            TypeError: A value has another type than it must have.
            ValueError: A scale that numbers are divided by is not one.
            UserError: The image spec makes no sense.
        """
        scale, temperature = values["novelty"], values["temperature"]
        if not (0 < temperature < math.inf and 0 <= scale["usual"] < math.inf):
            raise ValueError(f"temperature {temperature}, usual novelty {scale['usual']}")
        golden = values.get("golden", ())
        described = ("alvision", "versions", "run", "name", "backbone", "activation_map", "labels")
        hashes = ("labels_hash", "data_hash", "tolerance")
        return cls(
            classes=tuple(values["classes"]),
            image=ImageSpec.from_dict(values["image"]),
            novelty=NoveltyScale(scale["neighbours"], scale["usual"]),
            files=dict(values["files"]),
            defects=optional_names(values["defects"]),
            temperature=temperature,
            format=values["format"],
            trained_on=tuple(values.get("trained_on", ())),
            monitor=MonitorFigures(values.get("monitor", {})),
            memory=MemoryFacts(**values["memory"]) if "memory" in values else None,
            golden=tuple(GoldenImage(one["file"], tuple(one["logits"])) for one in golden),
            **{key: values[key] for key in (*described, *hashes) if key in values},
        )
