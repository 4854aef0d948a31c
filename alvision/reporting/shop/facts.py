"""What a shop wants to know of its model, from what is written already; the seal stays closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.promote.known_images import (
    escapes,
    monitor_images,
    overkilled,
    predictions_for,
)
from alvision.deploy.threshold import plan as sealed
from alvision.deploy.threshold.binomial import best_escape
from alvision.deploy.train.labelled_data import LabelledData
from alvision.labels.consensus import consensus
from alvision.labels.voting import Agreement, agreement

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

FEW = 30
"""Labels below which a class is told to be rare, whatever the others have."""


@dataclass(frozen=True)
class MonitorImage:
    """A monitor image: its class, and what the bundle says of it, see `predict.Prediction`."""

    id: SampleId
    label: str
    values: dict[str, Any]


@dataclass(frozen=True)
class ClassRow:
    """How many images of a class there are in each part, and how the monitor ones are called.

    Attributes:
        name: The class.
        defect: Whether it is a defect.
        trained: Images that were trained on.
        monitor: Labelled monitor images.
        sealed: Labelled sealed images.
        missed: Monitor images of it that are called something else.
        taken_for: What most of those are called, if there are any.
    """

    name: str
    defect: bool
    trained: int
    monitor: int
    sealed: int
    missed: int
    taken_for: str | None


@dataclass(frozen=True)
class Outlook:
    """What could be promised, without a look at the seal.

    Attributes:
        found: Independent sealed defects that a promise may use.
        needed: How many it needs.
        escape: Share of defects that it would let pass.
        confidence: How sure it would be.
        best: The least share that `found` can prove.
        obstacle: Why no promise is possible at all, if so.
    """

    found: int = 0
    needed: int = 0
    escape: float = 0.02
    confidence: float = 0.95
    best: float = 1.0
    obstacle: str | None = None


@dataclass(frozen=True)
class Shop:
    """All that the report says.

    Attributes:
        outlook: What could be promised.
        monitor: The monitor images, from good to bad.
        escaped: Sealed defects that pass, as the reading that set the threshold found.
        overkilled: Sealed good parts that are stopped, found likewise.
        classes: The classes.
        people: Everybody against the consensus; empty without people.
        shared: Images that several people named a class of.
        unanimous: Those of them where all said the same.
        advice: What to photograph more of, the most urgent first.
    """

    outlook: Outlook
    monitor: tuple[MonitorImage, ...]
    escaped: tuple[SampleId, ...]
    overkilled: tuple[SampleId, ...]
    classes: tuple[ClassRow, ...]
    people: Mapping[str, Agreement]
    shared: int
    unanimous: int
    labels: Mapping[SampleId, str] = field(repr=False)
    advice: tuple[str, ...] = ()

    def slipped(self, defects: Sequence[str]) -> list[MonitorImage]:
        """Return the monitor defects that pass."""
        return [one for one in self.monitor if escapes(one.label, one.values, defects)]

    def stopped(self, defects: Sequence[str]) -> list[MonitorImage]:
        """Return the good monitor parts that are stopped."""
        return [one for one in self.monitor if overkilled(one.label, one.values, defects)]


def collect(
    bundle: Bundle,
    labelled: LabelledData,
    config: RunConfig,
    request: sealed.ThresholdRequest,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Shop:
    """Collect the facts: the bundle's opinion of the monitor images, counts, and what was written.

    Args:
        bundle: The bundle.
        labelled: Images and labels.
        config: The run's configuration.
        request: What would be promised, where nothing is promised yet.
        progress: Called with (done, total).
    """
    ids = monitor_images(labelled)
    done = [0]

    def one() -> None:
        done[0] += 1
        progress(done[0], len(ids))

    said = predictions_for(bundle, labelled, ids, done=one)
    monitor = [MonitorImage(id, labelled.held_out[id], said[id]) for id in ids]
    monitor.sort(key=lambda one: (one.values["defect_score"], one.id))
    by_content = {content: id for id, content in labelled.data.hashes.items()}
    limits = bundle.thresholds or {}
    escaped, stopped = (
        tuple(by_content[content] for content in limits.get(key, ()) if content in by_content)
        for key in ("escaped", "overkilled")
    )
    rows = tuple(_row(name, bundle, labelled, monitor) for name in bundle.classes)
    outlook = _outlook(bundle, labelled, config, request)
    agreed, shared, unanimous = _people(labelled)
    advice = tuple(_advice(outlook, rows, limits, len(monitor)))
    return Shop(
        outlook,
        tuple(monitor),
        escaped,
        stopped,
        rows,
        agreed,
        shared,
        unanimous,
        {**labelled.training, **labelled.held_out},
        advice,
    )


def headline(bundle: Bundle, outlook: Outlook) -> str:
    """Say in a shop's words what is promised, or what can be and how many parts that takes."""
    limits = bundle.thresholds
    if limits is not None:
        caught, overkill = 100 * (1 - limits["escape"]), limits["overkill"]["seen"]
        text = (
            f"Catches at least {caught:g} of 100 bad parts, {100 * limits['confidence']:g} % sure"
        )
        if overkill is None:
            return text + "; how many good ones it stops is not known, for no good part is sealed."
        where = "to a second look" + (" or to scrap" if limits["human"] else "")
        return f"{text}; sends about {100 * overkill:.0f} of 100 good ones {where}."
    if outlook.obstacle:
        return f"No promise is possible: {outlook.obstacle}."
    sure = f"{100 * outlook.confidence:g} % sure"
    wanted = f"{100 * (1 - outlook.escape):g} of 100 bad parts, {sure}"
    more = outlook.needed - outlook.found
    if more <= 0:
        return f"Ready for a promise: catching {wanted}. Nobody has asked for it yet."
    if not outlook.found:
        return f"Nothing can be promised yet. To promise {wanted}, photograph {more} bad parts."
    return (
        f"The most that can be promised now: catches {100 * (1 - outlook.best):.0f} of 100 bad "
        f"parts, {sure}. To promise {wanted}, photograph {more} more bad parts."
    )


def _outlook(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: sealed.ThresholdRequest
) -> Outlook:
    try:
        look = sealed.plan(bundle, labelled, config, request)
    except UserError as error:
        return Outlook(obstacle=str(error))
    best = best_escape(look.found, confidence=look.confidence)
    return Outlook(look.found, look.needed, request.escape, request.confidence, best)


def _row(
    name: str, bundle: Bundle, labelled: LabelledData, monitor: Sequence[MonitorImage]
) -> ClassRow:
    own = [one.values["class"] for one in monitor if one.label == name]
    wrong = Counter(called for called in own if called != name)
    return ClassRow(
        name,
        name in bundle.defects,
        sum(label == name for label in labelled.training.values()),
        len(own),
        sum(labelled.held_out.get(id) == name for id in labelled.split.seal),
        wrong.total(),
        wrong.most_common(1)[0][0] if wrong else None,
    )


def _people(labelled: LabelledData) -> tuple[dict[str, Agreement], int, int]:
    if not labelled.data.answered_by_people:
        return {}, 0, 0
    with labelled.data.label_store() as store:
        settled = consensus(store.events(), labelled.data.resolve)
    several = [set(one.votes.values()) for one in settled.values() if len(one.votes) > 1]
    return agreement(settled), len(several), sum(len(said) == 1 for said in several)


def _advice(
    outlook: Outlook, rows: Sequence[ClassRow], limits: Mapping[str, Any], monitor: int
) -> list[str]:
    """Say what to photograph more of; each is one sentence."""
    said = []
    more = outlook.needed - outlook.found
    if not limits and outlook.obstacle is None and more > 0:
        said.append(
            f"Bad parts of every kind that nobody has labelled here before, from as many different "
            f"lots as there are: {more} more, for the promise (alvision labels import slot=seal)."
        )
    for name, own in limits.get("per_class", {}).items():
        if own["holds"] is False:
            said.append(f"{name}: the promise does not hold for it alone; it needs pictures most.")
        elif own["holds"] is None:
            missing = own["needed"] - own["defects"]
            said.append(f"{name}: {missing} more sealed ones, for a promise of its own.")
    for row in sorted(rows, key=lambda row: row.trained):
        if row.trained < FEW:
            said.append(f"{row.name}: only {row.trained} were learned from.")
    for row in sorted(rows, key=lambda row: -row.missed / max(1, row.monitor)):
        if row.missed * 10 > row.monitor:
            said.append(
                f"{row.name}: {row.missed} of {row.monitor} monitor pictures are called something "
                f"else, mostly {row.taken_for}; more of those that look alike."
            )
    if monitor < 100:
        said.append(
            f"Parts as they come from the line, for the audit: only {monitor} monitor pictures "
            "have a label, so every figure below is rough."
        )
    return said
