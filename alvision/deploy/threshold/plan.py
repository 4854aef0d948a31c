"""What lies in the seal, and what a look at it would cost; no picture is opened here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.dataset.dataset import audit_file, people
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.binomial import defects_needed
from alvision.deploy.train.labelled_data import Material

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class Ask:
    """What a promise is asked for.

    Attributes:
        escape: Highest share of defects that may pass.
        confidence: Probability that this holds.
        independent: Take every sealed image for independent, whatever its group.
        human: Share of the parts that a person has time for, if there is a person.
        costs: What a look costs and what a good part costs that is thrown away.
    """

    escape: float
    confidence: float
    independent: bool = False
    human: float | None = None
    costs: tuple[float, float] | None = None

    @property
    def question(self) -> str:
        """Return what the threshold depends on, as text."""
        return f"escape {self.escape:g}, confidence {self.confidence:g}, " + (
            "independent" if self.independent else "by group"
        )


@dataclass(frozen=True)
class Plan:
    """A look at the seal that has not been taken yet.

    Attributes:
        ids: Sealed images that somebody has spoken on.
        bad: Content of the defects among them, and what each is taken for independent by.
        earlier: The looks so far.
        reading: The look.
        found: Independent defects that it may use.
        needed: Independent defects that it needs, none of them missed.
    """

    ids: tuple[SampleId, ...]
    bad: Mapping[str, str]
    earlier: list[look_log.Reading]
    reading: look_log.Reading
    found: int
    needed: int

    @property
    def confidence(self) -> float:
        """Return the confidence with which the promise has to be proven."""
        return 1 - self.reading.doubt


def plan(bundle: Bundle, material: Material, config: RunConfig, ask: Ask) -> Plan:
    """Plan a look at the seal: which defects it may use and what it costs.

    Raises:
        UserError: There is no good class or no defect class, a class was renamed, or a sealed
            image was trained on.
    """
    check_classes(bundle, config)
    ids = sealed_images(bundle, material)
    hashes, groups = (
        material.data.hashes,
        dict(zip(ids, groups_of(material, ids, ask), strict=True)),
    )
    bad = {hashes[id]: groups[id] for id in ids if is_defect(bundle, material, id)}
    earlier = look_log.read(readings_file(material, config))
    reading = look_log.plan(
        earlier,
        model=bundle.about["files"]["model.onnx"],
        question=ask.question,
        defects=bad,
        doubt=1 - ask.confidence,
        enough=defects_needed(escape=ask.escape, confidence=ask.confidence),
    )
    found = len({bad[content] for content in reading.defects})
    needed = defects_needed(escape=ask.escape, confidence=1 - reading.doubt)
    return Plan(tuple(ids), bad, earlier, reading, found, needed)


def check_classes(bundle: Bundle, config: RunConfig) -> None:
    """Refuse a bundle whose classes allow no promise.

    Raises:
        UserError: There is no good class or no defect class, or a class was renamed.
    """
    gone = [name for name in bundle.classes if name not in (config.classes or ())]
    if gone:
        raise UserError(
            f"the bundle knows the class {gone[0]}, which the run no longer has: export it again"
        )
    if not bundle.defects:
        raise UserError(
            "defects= says of no class that it is a defect, so nothing can escape: give "
            '"defects=[...]" to alvision run or train, and export again'
        )
    if len(bundle.defects) == len(bundle.classes):
        raise UserError(
            "every class is a defect, so no part may pass and there is no threshold to draw; "
            "a promise needs a class of good parts"
        )


def sealed_images(bundle: Bundle, material: Material) -> list[SampleId]:
    """Return the sealed images that somebody has spoken on, and can be opened.

    Raises:
        UserError: One of them was trained on.
    """
    hashes = material.data.hashes
    ids = [
        id
        for id in material.split.seal
        if id in hashes and (id in material.held_out or id in material.doubtful)
    ]
    trained = set(bundle.about["trained_on"])
    for id in ids:
        if hashes[id] in trained:
            raise UserError(
                f"the sealed image {id} was trained on, so it proves nothing: train and export "
                "again, then ask for the threshold"
            )
    return ids


def is_defect(bundle: Bundle, material: Material, id: SampleId) -> bool:
    """Tell whether a sealed image counts as a defect: also if nobody could name it."""
    label = material.held_out.get(id)
    return label is None or label in bundle.defects


def groups_of(material: Material, ids: Sequence[SampleId], ask: Ask) -> list[str]:
    """Return what each image is taken for independent by."""
    return [id if ask.independent else material.groups[id] for id in ids]


def readings_file(material: Material, config: RunConfig) -> Path:
    """Return the file of all looks at the seal: beside the labels, or in a simulated run's."""
    if people(config):
        beside = audit_file(config, material.data.manifest)
        return beside.with_name("seal_readings.jsonl")
    return Path(str(config.out)) / "seal_readings.jsonl"
