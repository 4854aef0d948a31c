"""What lies in the seal, and what a look at it would cost; no picture is opened here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.binomial import defects_needed
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class ThresholdRequest:
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
        use: The look.
        found: Independent defects that it may use.
        needed: Independent defects that it needs, none of them missed.
    """

    ids: tuple[SampleId, ...]
    bad: Mapping[str, str]
    earlier: list[look_log.SealUse]
    use: look_log.SealUse
    found: int
    needed: int

    @property
    def confidence(self) -> float:
        """Return the confidence with which the promise has to be proven."""
        return 1 - self.use.doubt


def plan(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: ThresholdRequest
) -> Plan:
    """Plan a look at the seal: which defects it may use and what it costs.

    Raises:
        UserError: There is no good class or no defect class, a class was renamed, or a sealed
            image was trained on.
    """
    check_classes(bundle, config)
    ids = sealed_images(bundle, labelled)
    hashes, groups = (
        labelled.data.hashes,
        dict(zip(ids, groups_of(labelled, ids, request), strict=True)),
    )
    bad = {hashes[id]: groups[id] for id in ids if is_defect(bundle, labelled, id)}
    earlier = look_log.read(log_file(labelled, config))
    use = look_log.plan_use(
        earlier,
        model=bundle.about["files"]["model.onnx"],
        question=request.question,
        defects=bad,
        doubt=1 - request.confidence,
        enough=defects_needed(escape=request.escape, confidence=request.confidence),
    )
    found = len({bad[content] for content in use.defects})
    needed = defects_needed(escape=request.escape, confidence=1 - use.doubt)
    return Plan(tuple(ids), bad, earlier, use, found, needed)


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


def sealed_images(bundle: Bundle, labelled: LabelledData) -> list[SampleId]:
    """Return the sealed images that somebody has spoken on, and can be opened.

    Raises:
        UserError: One of them was trained on.
    """
    hashes = labelled.data.hashes
    ids = [
        id
        for id in labelled.split.seal
        if id in hashes and (id in labelled.held_out or id in labelled.doubtful)
    ]
    trained = set(bundle.about["trained_on"])
    for id in ids:
        if hashes[id] in trained:
            raise UserError(
                f"the sealed image {id} was trained on, so it proves nothing: train and export "
                "again, then ask for the threshold"
            )
    return ids


def is_defect(bundle: Bundle, labelled: LabelledData, id: SampleId) -> bool:
    """Tell whether a sealed image counts as a defect: also if nobody could name it."""
    label = labelled.held_out.get(id)
    return label is None or label in bundle.defects


def groups_of(
    labelled: LabelledData, ids: Sequence[SampleId], request: ThresholdRequest
) -> list[str]:
    """Return what each image is taken for independent by."""
    return [id if request.independent else labelled.groups[id] for id in ids]


def log_file(labelled: LabelledData, config: RunConfig) -> Path:
    """Return the file of all looks at the seal: beside the labels, or in a simulated run's."""
    if labelled.data.answered_by_people:
        return labelled.data.audit_file.with_name("seal_readings.jsonl")
    return Path(str(config.out)) / "seal_readings.jsonl"
