"""The facts of a shop report, from what is known already: the sealed images are not run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.shell import command
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import predictions_for
from alvision.deploy.bundle.promise import catches, percent_at_most, percent_seen, percent_sure
from alvision.deploy.bundle.thresholds import Thresholds
from alvision.deploy.bundle.verdict import Decision, escapes, overkilled
from alvision.deploy.threshold.binomial import best_escape
from alvision.deploy.threshold.plan import ThresholdRequest, more_sealed, plan
from alvision.deploy.train.labelled_data import LabelledData
from alvision.labels.consensus import consensus
from alvision.labels.voting import Agreement, agreement

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

FEW = 30
"""Labels below which a class is called rare, however many the others have."""
FEW_MONITOR = 100
"""Monitor images below which every rate is rough: at 100, one image is a whole point."""


@dataclass(frozen=True)
class MonitorImage:
    """A monitor image with its class and the bundle's decision."""

    id: SampleId
    label: str
    decision: Decision


@dataclass(frozen=True)
class ClassRow:
    """The images of a class in each part of the data, and the model's mistakes on the monitor.

    Attributes:
        name: The class.
        defect: Whether it is a defect.
        trained: Training images.
        monitor: Labelled monitor images.
        sealed: Labelled sealed images; copies count once.
        missed: Monitor images of the class that the model gives another class.
        taken_for: The class that most of those get, if there are any.
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
    """The promise that is possible now; the sealed images are counted for it, not run.

    Attributes:
        found: Independent sealed defects that a promise may use.
        needed: How many it needs.
        escape: Share of defects that may pass.
        confidence: Probability that this holds.
        best: The lowest escape rate that `found` can prove.
        obstacle: Why no promise is possible at all, if so.
    """

    found: int = 0
    needed: int = 0
    escape: float = 0.02
    confidence: float = 0.95
    best: float = 1.0
    obstacle: str | None = None

    @property
    def missing(self) -> int:
        """Return how many more independent defects the promise needs; at most 0 if none."""
        return self.needed - self.found


@dataclass(frozen=True)
class Shop:
    """The facts of a shop report.

    Attributes:
        outlook: What could be promised.
        monitor: The monitor images, from good to bad.
        escaped: How many sealed defects pass, as found when the threshold was set. Which ones is
            not shown: whoever saw the model's mistakes would correct the labels of just those.
        overkilled: How many sealed good parts are stopped, found likewise.
        classes: The classes.
        people: Agreement of each person with the consensus; empty without people.
        shared: Images that several people gave a class.
        unanimous: Those of them where all agreed.
        advice: What to photograph more of, the most urgent first.
    """

    outlook: Outlook
    monitor: tuple[MonitorImage, ...]
    escaped: int
    overkilled: int
    classes: tuple[ClassRow, ...]
    people: Mapping[str, Agreement]
    shared: int
    unanimous: int
    advice: tuple[str, ...] = ()

    def slipped(self, good: Sequence[str]) -> list[MonitorImage]:
        """Return the monitor defects that pass."""
        return [image for image in self.monitor if escapes(image.label, image.decision, good)]

    def stopped(self, good: Sequence[str]) -> list[MonitorImage]:
        """Return the good monitor parts that are stopped."""
        return [image for image in self.monitor if overkilled(image.label, image.decision, good)]


def collect(
    bundle: Bundle,
    labelled: LabelledData,
    config: RunConfig,
    request: ThresholdRequest,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Shop:
    """Collect the facts: decisions about the monitor images, counts, and the threshold's findings.

    Args:
        bundle: The bundle.
        labelled: Images and labels.
        config: The run's configuration.
        request: What would be promised, where nothing is promised yet.
        progress: Called with (done, total).
    """
    monitor = _monitor(bundle, labelled, progress)
    thresholds = bundle.thresholds
    labels = {**labelled.training, **labelled.held_out}
    newer = sorted(set(labels.values()) - set(bundle.classes))
    rows = tuple(_row(name, bundle, labelled, monitor) for name in (*bundle.classes, *newer))
    outlook = _outlook(bundle, labelled, config, request)
    agreed, shared, unanimous = _people(labelled)
    return Shop(
        outlook=outlook,
        monitor=tuple(monitor),
        escaped=len(thresholds.escaped) if thresholds else 0,
        overkilled=len(thresholds.overkilled) if thresholds else 0,
        classes=rows,
        people=agreed,
        shared=shared,
        unanimous=unanimous,
        advice=tuple(
            _advice(outlook, rows, thresholds, len(monitor), more_sealed(labelled, config))
        ),
    )


def headline(bundle: Bundle, outlook: Outlook) -> str:
    """Return what is promised, or what could be and how many parts that takes."""
    thresholds = bundle.thresholds
    if thresholds is not None:
        text, overkill = catches(thresholds), thresholds.overkill
        if thresholds.of_good:
            return f"{text}."
        if overkill.seen is None:
            return f"{text}; how many good ones it stops is unknown: no good part is sealed."
        where = "to a second look"
        if thresholds.human and thresholds.rejects:
            where += " or to scrap"
        return (
            f"{text}; sends about {percent_seen(overkill.seen)} of 100 good ones {where}, at most "
            f"{percent_at_most(overkill.at_most)}."
        )
    if outlook.obstacle:
        return f"No promise is possible: {outlook.obstacle}."
    sure = f"{percent_sure(outlook.confidence)} % sure"
    wanted = f"{100 * (1 - outlook.escape):g} of 100 bad parts, {sure}"
    if outlook.missing <= 0:
        words = (f"bundle={bundle.folder}", f"escape={outlook.escape:g}")
        again = command("alvision", "threshold", *words, f"confidence={outlook.confidence:g}")
        return f"Ready for a promise: catching {wanted}. Set it: {again}"
    if not outlook.found:
        return (
            f"Nothing can be promised yet. To promise {wanted}, photograph {outlook.missing} bad "
            f"parts.{_about_good(bundle)}"
        )
    best = 100 - percent_at_most(outlook.best)
    return (
        f"The most that can be promised now: catches {best} of 100 bad parts, {sure}. "
        f"To promise {wanted}, photograph {outlook.missing} more bad parts."
    )


def _about_good(bundle: Bundle) -> str:
    """Name what can be promised about good parts, where the model knows nothing else."""
    if not bundle.good_only:
        return ""
    again = command("alvision", "threshold", f"bundle={bundle.folder}", "overkill=0.05")
    return f" What can be promised about good parts: {again}"


def _monitor(
    bundle: Bundle, labelled: LabelledData, progress: Callable[[int, int], None]
) -> list[MonitorImage]:
    ids, steps = labelled.monitor, count(1)
    decisions = predictions_for(bundle, labelled, ids, done=lambda: progress(next(steps), len(ids)))
    images = [MonitorImage(id, labelled.held_out[id], decisions[id]) for id in ids]
    return sorted(images, key=lambda image: (image.decision.defect_score, image.id))


def _outlook(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: ThresholdRequest
) -> Outlook:
    try:
        planned = plan(bundle, labelled, config, request)
    except UserError as error:
        return Outlook(obstacle=str(error))
    best = best_escape(planned.found, confidence=planned.confidence)
    return Outlook(planned.found, planned.needed, request.escape, request.confidence, best)


def _row(
    name: str, bundle: Bundle, labelled: LabelledData, monitor: Sequence[MonitorImage]
) -> ClassRow:
    called = [image.decision.class_name for image in monitor if image.label == name]
    wrong = Counter(other for other in called if other != name)
    sealed = {
        labelled.data.hashes.get(id, id)
        for id in labelled.split.seal
        if labelled.held_out.get(id) == name
    }
    return ClassRow(
        name=name,
        defect=bool(bundle.defects) and name not in bundle.good,
        trained=sum(label == name for label in labelled.training.values()),
        monitor=len(called),
        sealed=len(sealed),
        missed=wrong.total(),
        taken_for=wrong.most_common(1)[0][0] if wrong else None,
    )


def _people(labelled: LabelledData) -> tuple[dict[str, Agreement], int, int]:
    if not labelled.data.answered_by_people:
        return {}, 0, 0
    with labelled.data.label_store() as store:
        settled = consensus(store.events(), labelled.data.resolve)
    several = [set(vote.votes.values()) for vote in settled.values() if len(vote.votes) > 1]
    return agreement(settled), len(several), sum(len(classes) == 1 for classes in several)


def _advice(
    outlook: Outlook,
    rows: Sequence[ClassRow],
    thresholds: Thresholds | None,
    monitor: int,
    more: str,
) -> list[str]:
    """Return what to photograph more of, a sentence each."""
    advice = []
    unproven = thresholds is None or thresholds.of_good
    if unproven and outlook.obstacle is None and outlook.missing > 0:
        advice.append(
            "Bad parts of every kind that nobody has labelled here before, from as many different "
            f"lots as you have, as many of each: {outlook.missing} more, for the promise; {more}."
        )
    for name, own in (thresholds.per_class if thresholds else {}).items():
        if own.holds is False:
            advice.append(
                f"{name}: the promise is not proven for this class alone; photograph it first."
            )
        elif own.holds is None:
            advice.append(
                f"{name}: {own.needed - own.defects} more sealed ones, for a promise of its own."
            )
    for row in sorted(rows, key=lambda row: row.trained):
        if row.trained < FEW:
            advice.append(f"{row.name}: the model learned from only {row.trained}.")
    for row in sorted(rows, key=lambda row: -row.missed / max(1, row.monitor)):
        if row.missed * 10 > row.monitor:
            advice.append(
                f"{row.name}: {row.missed} of {row.monitor} monitor images get another class, "
                f"mostly {row.taken_for}; photograph more parts that look alike."
            )
    if monitor < FEW_MONITOR:
        advice.append(
            f"Parts as they come from the line, for the audit: only {monitor} monitor images "
            "have a label, so every figure about them is rough."
        )
    return advice
