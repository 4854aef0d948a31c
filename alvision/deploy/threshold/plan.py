"""Plan a use of the sealed test images: what is there, and what is needed. No image is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import NETWORK, Bundle
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.binomial import defects_needed
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class ThresholdRequest:
    """The promise that a threshold is asked to keep.

    Attributes:
        escape: Highest share of defects that may pass.
        confidence: Probability that this holds.
        independent: Every sealed image counts as independent, whatever its group.
        human: Share of the parts that a person has time for, if there is a person.
        costs: Costs of a person's look and of a good part that is scrapped.
    """

    escape: float
    confidence: float
    independent: bool = False
    human: float | None = None
    costs: tuple[float, float] | None = None

    @property
    def question(self) -> str:
        """Return the request as text, without what leaves the threshold as it is."""
        return f"escape {self.escape:g}, confidence {self.confidence:g}, " + (
            "independent" if self.independent else "by group"
        )


@dataclass(frozen=True)
class PlannedUse:
    """A use of the sealed images that has not happened yet.

    Attributes:
        ids: Sealed images that somebody has answered.
        defects: The group of each defect among them, by its sha256.
        earlier: The uses so far.
        use: This use.
        found: Independent defects that it may score.
        needed: Independent defects that it needs, if none of them is missed.
    """

    ids: tuple[SampleId, ...]
    defects: Mapping[str, str]
    earlier: list[look_log.SealUse]
    use: look_log.SealUse
    found: int
    needed: int

    @property
    def confidence(self) -> float:
        """Return the confidence with which the promise has to be proven."""
        return 1 - self.use.doubt

    @property
    def number(self) -> int:
        """Return the number of this use, from 1; a repeated one keeps its number."""
        known = self.use in self.earlier
        return 1 + (self.earlier.index(self.use) if known else len(self.earlier))

    def uses(self, content: str) -> bool:
        """Tell whether an image is scored: a good part always, a defect if the use names it."""
        return content not in self.defects or content in self.use.defects


def plan(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: ThresholdRequest
) -> PlannedUse:
    """Plan a use of the sealed images.

    Raises:
        UserError: There is no good class or no defect class, a class was renamed, or a sealed
            image was trained on.
    """
    check_classes(bundle, config)
    ids, hashes = sealed_images(bundle, labelled), labelled.data.hashes
    groups = dict(zip(ids, groups_of(labelled, ids, request), strict=True))
    defects = {hashes[id]: groups[id] for id in ids if is_defect(bundle, labelled, id)}
    earlier = look_log.read(log_file(labelled, config))
    use = look_log.plan_use(
        earlier,
        model=bundle.manifest.files[NETWORK],
        question=request.question,
        defects=defects,
        doubt=1 - request.confidence,
        enough=defects_needed(escape=request.escape, confidence=request.confidence),
    )
    found = len({defects[content] for content in use.defects})
    needed = defects_needed(escape=request.escape, confidence=1 - use.doubt)
    return PlannedUse(tuple(ids), defects, earlier, use, found, needed)


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
            "defects= names no class as a defect, so nothing can escape: give "
            '"defects=[...]" to alvision run or train, and export again'
        )
    if len(bundle.defects) == len(bundle.classes):
        raise UserError(
            "every class is a defect, so no part may pass and no threshold can be set: "
            "a promise needs a class of good parts"
        )


def sealed_images(bundle: Bundle, labelled: LabelledData) -> list[SampleId]:
    """Return the sealed images that somebody has answered and that can be opened.

    Raises:
        UserError: One of them was trained on.
    """
    hashes = labelled.data.hashes
    ids = [
        id
        for id in labelled.split.seal
        if id in hashes and (id in labelled.held_out or id in labelled.doubtful)
    ]
    trained = set(bundle.manifest.trained_on)
    for id in ids:
        if hashes[id] in trained:
            raise UserError(
                f"the sealed image {id} was trained on, so it proves nothing: train and export "
                "again, then set the threshold"
            )
    return ids


def is_defect(bundle: Bundle, labelled: LabelledData, id: SampleId) -> bool:
    """Tell whether a sealed image counts as a defect; one that nobody could name does."""
    label = labelled.held_out.get(id)
    return label is None or label in bundle.defects


def groups_of(
    labelled: LabelledData, ids: Sequence[SampleId], request: ThresholdRequest
) -> list[str]:
    """Return the group of each image; images of different groups count as independent."""
    return [id if request.independent else labelled.groups[id] for id in ids]


def log_file(labelled: LabelledData, config: RunConfig) -> Path:
    """Return the log of the sealed images: beside the labels, or in a simulated run's folder."""
    if labelled.data.answered_by_people:
        return labelled.data.audit_file.with_name("seal_readings.jsonl")
    return Path(str(config.out)) / "seal_readings.jsonl"
