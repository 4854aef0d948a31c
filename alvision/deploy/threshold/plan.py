"""Plan a use of the sealed test images: what is there, and what is needed. No image is opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.shell import command
from alvision.core.uris import local_place
from alvision.deploy.bundle.bundle import NETWORK, Bundle
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.binomial import defects_needed
from alvision.deploy.threshold.draw import independent_parts
from alvision.deploy.threshold.round_uses import uses_by_rounds
from alvision.deploy.train.labelled_data import LabelledData
from alvision.labels.location import beside_data

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

LOG = "seal_readings.jsonl"
"""Name of a log of uses."""


@dataclass(frozen=True)
class ThresholdRequest:
    """The promise that a threshold is asked to keep.

    Attributes:
        escape: Highest share of defects that may pass.
        confidence: Probability that this holds.
        independent: Every sealed image counts as independent, whatever its group.
        human: Share of the parts that a person has time for, if there is a person.
        costs: Costs of a person's look and of a good part that is scrapped.
        defect_share: Share of the line's parts that are defects, if it was given.
        overkill: Highest share of good parts that may be stopped, if that is what is promised; how
            many defects pass is told then, and `escape` is not asked.
    """

    escape: float
    confidence: float
    independent: bool = False
    human: float | None = None
    costs: tuple[float, float] | None = None
    defect_share: float | None = None
    overkill: float | None = None

    @property
    def question(self) -> str:
        """Return the request as text, without what leaves the threshold as it is."""
        share = f"escape {self.escape}" if self.overkill is None else f"overkill {self.overkill}"
        return f"{share}, confidence {self.confidence}, " + (
            "independent" if self.independent else "by group"
        )


@dataclass(frozen=True)
class PlannedUse:
    """A use of the sealed images that has not happened yet.

    Attributes:
        ids: Sealed images that somebody has answered, one of each content.
        defects: The group of each defect among them, by its sha256.
        of_good: The promise is about good parts; then they are what is found and needed, and what
            the corrected ones were scored as is a defect.
        earlier: The uses so far, first those by rounds of a simulated run.
        by_rounds: How many of these uses are by rounds.
        use: This use.
        corrected: sha256 of the defects that a use before this one scored as good parts. They may
            lower the threshold and never raise it, because only those that were looked at again
            are corrected, and these may be just the ones that the model stops.
        found: Independent defects that prove something.
        needed: Independent defects that it needs, if none of them is missed.
    """

    ids: tuple[SampleId, ...]
    defects: Mapping[str, str]
    of_good: bool
    earlier: list[look_log.SealUse]
    by_rounds: int
    use: look_log.SealUse
    corrected: frozenset[str]
    found: int
    needed: int

    @property
    def confidence(self) -> float:
        """Return the confidence with which the promise has to be proven."""
        return 1 - self.use.doubt

    @property
    def joint_confidence(self) -> float:
        """Return the confidence that this promise holds and all that were made before it."""
        uses = [*self.earlier, self.use][: self.number]
        return max(0.0, 1 - sum(use.doubt for use in uses))

    @property
    def number(self) -> int:
        """Return the number of this use, from 1; a repeated one keeps its number."""
        return 1 + (self.earlier.index(self.use) if self.known else len(self.earlier))

    @property
    def logged(self) -> list[look_log.SealUse]:
        """Return the earlier uses that are in a log."""
        return self.earlier[self.by_rounds :]

    @property
    def known(self) -> bool:
        """Tell whether this use has been logged already."""
        return self.use in self.earlier

    def uses(self, content: str) -> bool:
        """Tell whether an image is scored: one of the kind promised about if the use names it."""
        if self.of_good:
            return content in self.defects or content in (self.use.good or {})
        return content not in self.defects or content in self.use.defects


def plan(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: ThresholdRequest
) -> PlannedUse:
    """Plan a use of the sealed images.

    Raises:
        UserError: There is no good class or no defect class, a class was renamed, a sealed image
            was trained on, or the sealed images were used too often.
    """
    check_classes(bundle, config)
    ids, hashes = sealed_images(bundle, labelled), labelled.data.hashes
    groups = {hashes[id]: labelled.groups[id] for id in ids}
    bad = {hashes[id] for id in ids if is_defect(bundle, labelled, id)}
    defects = {content: group for content, group in groups.items() if content in bad}
    good = {content: group for content, group in groups.items() if content not in bad}
    by_rounds = uses_by_rounds(Path(str(config.out)), hashes, defects=defects, good=good)
    earlier = [*by_rounds, *look_log.read_all(log_files(labelled, config))]

    of_good = request.overkill is not None
    share = request.escape if request.overkill is None else request.overkill
    proof, rest = (good, defects) if of_good else (defects, good)

    def independent(contents: Collection[str]) -> int:
        return independent_parts(
            {content: content if request.independent else groups[content] for content in contents}
        )

    def enough(contents: Collection[str]) -> bool:
        needed = defects_needed(escape=share, confidence=request.confidence)
        return independent(contents) >= needed

    turned = [look_log.about_good(use) for use in earlier] if of_good else earlier
    use = look_log.plan_use(
        turned,
        model=scorer(bundle),
        # Two lists of images are one use of the log only if both are the same.
        question=f"{request.question}, {_digest(groups, bad)}" if of_good else request.question,
        defects=proof,
        good=rest,
        doubt=1 - request.confidence,
        enough=enough,
    )
    proven = use.defects.keys()
    if of_good:
        use = look_log.about_good(use)
    if use.doubt < look_log.SMALLEST_DOUBT:
        rounds = f", {len(by_rounds)} times by rounds of this simulated run" if by_rounds else ""
        raise UserError(
            f"the sealed images were used {len(earlier)} times before{rounds}, too often to prove "
            f"anything on them again: {more_sealed(labelled, config)}"
        )
    before = earlier[: earlier.index(use)] if use in earlier else earlier
    others = look_log.scored_as_defects if of_good else look_log.scored_as_good
    corrected = others(before) & proven
    return PlannedUse(
        ids=tuple(ids),
        defects=defects,
        of_good=of_good,
        earlier=earlier,
        by_rounds=len(by_rounds),
        use=use,
        corrected=frozenset(corrected),
        # Corrected ones may make a lot the largest, and then the others count for less.
        found=min(independent(proven - corrected), independent(proven)),
        needed=defects_needed(escape=share, confidence=1 - use.doubt),
    )


def _digest(groups: Mapping[str, str], bad: Collection[str]) -> str:
    """Name the sealed images as they are now: contents, groups, and which are defects."""
    rows = sorted((content, group, content in bad) for content, group in groups.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def scorer(bundle: Bundle) -> str:
    """Return the sha256 of all that gives an image its defect score.

    The same network scores differently at another temperature, with other classes or defects, or
    if it reads a file otherwise.
    """
    about = bundle.manifest
    parts = [
        about.files[NETWORK],
        about.image.to_dict(),
        about.temperature,
        about.classes,
        about.defects,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
            '"defects=[...]" and the run\'s own settings to alvision train, and export again'
        )
    if len(bundle.defects) == len(bundle.classes):
        raise UserError(
            "every class is a defect, so no part may pass and no threshold can be set: "
            "a promise needs a class of good parts"
        )


def sealed_images(bundle: Bundle, labelled: LabelledData) -> list[SampleId]:
    """Return the sealed images that somebody has answered and that can be opened.

    Copies of one file are one part, and one of them is returned: a defect if the copies have
    different labels.

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
    first: dict[str, SampleId] = {}
    for id in sorted(ids, key=lambda id: not is_defect(bundle, labelled, id)):
        first.setdefault(hashes[id], id)
    return sorted(first.values())


def is_defect(bundle: Bundle, labelled: LabelledData, id: SampleId) -> bool:
    """Tell whether a sealed image counts as a defect: all that is not known as a good part does.

    So does one that nobody could name, or with a class that is newer than the bundle.
    """
    return labelled.held_out.get(id) not in bundle.good


def more_sealed(labelled: LabelledData, config: RunConfig, kind: str = "bad") -> str:
    """Say how to get more sealed parts of a kind, bad or good."""
    if not labelled.data.answered_by_people:
        return f"add {kind} parts to the data, or hold out more of it (audit.share) in a new out="
    words = ("labels", "import", f"out={config.out}", "from=drawer.csv", "slot=seal")
    return (
        f"if you keep known {kind} parts, photograph them as the line does and import them: "
        f"{command('alvision', *words)}"
    )


def groups_of(
    labelled: LabelledData, ids: Sequence[SampleId], request: ThresholdRequest
) -> list[str]:
    """Return what each image is independent by: its group, or its content."""
    names = labelled.data.hashes if request.independent else labelled.groups
    return [names[id] for id in ids]


def log_files(labelled: LabelledData, config: RunConfig) -> list[Path]:
    """Return the logs of the sealed images: first the one that all runs on these images share.

    With people it is beside their labels, and there is no other. Simulated runs on one folder share
    the log beside it, because a model trained in a new folder is scored on the same sealed images.
    The run's own log is what versions before this one read.
    """
    if labelled.data.answered_by_people:
        return [labelled.data.audit_file.with_name(LOG)]
    own = Path(str(config.out)) / LOG
    if config.data.root is None:
        return [own]
    return [beside_data(local_place(str(labelled.data.manifest.root)), LOG), own]
