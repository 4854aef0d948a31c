"""Compare a new model with the line's on the same images: may it take its place?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.shell import command
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import predictions_for
from alvision.deploy.bundle.promise import percent_sure, spares
from alvision.deploy.bundle.thresholds import Thresholds
from alvision.deploy.bundle.verdict import Decision, escapes, overkilled
from alvision.deploy.promote.rates import (
    Measure,
    Mistake,
    Terms,
    measure,
    misnamed,
    monitor_images,
    rates,
)
from alvision.deploy.train.labelled_data import LabelledData


@dataclass(frozen=True)
class KnownImage:
    """An image whose class is known, with the decisions of both models.

    Attributes:
        id: The image.
        label: Its class.
        monitor: It is a monitor image; else it was trained on.
        old: The decision of the line's model.
        new: The decision of the new model.
    """

    id: SampleId
    label: str
    monitor: bool
    old: Decision
    new: Decision


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images.

    Attributes:
        measures: The rates on the monitor images.
        escaping: Known defects that only the new model lets pass.
        caught: Known defects that only the old model lets pass.
        stopped: Good parts that only the new model stops.
        freed: Good parts that only the old model stops.
        renamed: Monitor images that only the new model gives a wrong class.
        known: Known defects that both models were run on.
    """

    measures: tuple[Measure, ...]
    escaping: tuple[KnownImage, ...]
    caught: tuple[KnownImage, ...]
    stopped: tuple[KnownImage, ...]
    freed: tuple[KnownImage, ...]
    renamed: tuple[KnownImage, ...]
    known: int

    @property
    def reasons(self) -> list[str]:
        """Return why the old model stays; empty if the new one may take its place."""
        reasons = []
        if self.escaping:
            number = len(self.escaping)
            defects = "1 known defect" if number == 1 else f"{number} known defects"
            verb = "escapes" if number == 1 else "escape"
            reasons.append(f"{defects} newly {verb} (first {self.escaping[0].id})")
        return reasons + [measure.reason for measure in self.measures if not measure.shown]


def compare(
    old: Bundle,
    new: Bundle,
    labelled: LabelledData,
    terms: Terms,
    *,
    ids: Sequence[SampleId] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Run two bundles on the monitor images and on every known defect that is not sealed.

    The rates are compared on the monitor images alone, because neither model was trained on them:
    on at most one image of each group, so that the pairs are independent, and each rate with a test
    of its own at the full level. The new model passes only if all of them are shown not to be
    worse, so the level needs no correction (intersection-union, Berger 1982,
    doi:10.1080/00401706.1982.10487790). Images that nobody could name are left out. A defect that
    was trained on and newly escapes counts as well: that the model has learned it makes it worse.

    Args:
        old: The line's bundle.
        new: The bundle that is to take its place.
        labelled: Images and labels.
        terms: What must be shown.
        ids: The monitor images that the rates are compared on, see `tries`; None: all.
        progress: Called with (done, total).

    Raises:
        UserError: The bundles do not mean the same by their classes, the new one promises less, or
            a monitor image was trained on.
    """
    check_comparable(old, new)
    monitor = monitor_images(old, new, labelled)
    measured = rates(new, labelled, monitor if ids is None else ids, terms)
    labels, before, after = _decisions(old, new, labelled, monitor, progress)
    known = [
        KnownImage(id, labels[id], place < len(monitor), before[id], after[id])
        for place, id in enumerate(before)
    ]
    escaping = partial(escapes, good=new.good)
    stopping = partial(overkilled, good=new.good)
    return Comparison(
        measures=tuple(
            measure(rate, labels, before, after, confidence=terms.confidence) for rate in measured
        ),
        escaping=_only_new(known, escaping),
        caught=_only_old(known, escaping),
        # The worst mistakes come first: good parts with the highest defect scores.
        stopped=_only_new(known, stopping)[::-1],
        freed=_only_old(known, stopping),
        renamed=_only_new(known[: len(monitor)], misnamed),
        known=sum(bool(new.defects) and image.label not in new.good for image in known),
    )


def check_comparable(old: Bundle, new: Bundle) -> None:
    """Refuse bundles that cannot be compared, or a new one that promises less.

    Raises:
        UserError: Names the class or the promise.
    """
    for name in old.classes:
        if name not in new.classes:
            raise UserError(f"the line knows the class {name}, and {new.folder} does not")
        if (name in old.defects) != (name in new.defects):
            raise UserError(
                f"{name} is {'a defect' if name in old.defects else 'no defect'} on the line, and "
                f"the other way round in {new.folder}"
            )
    if old.thresholds is None:
        return
    words = [f"bundle={new.folder}", _asked(old.thresholds)]
    words.append(f"confidence={old.thresholds.confidence:g}")
    words += ["threshold.independent=true"] if old.thresholds.independent else []
    again = command("alvision", "threshold", *words)
    if new.thresholds is None:
        raise UserError(f"the line has a promise and {new.folder} has none: {again}")
    weaker = (
        _is_weaker(new.thresholds, old.thresholds)
        or new.thresholds.confidence < old.thresholds.confidence
        or (new.thresholds.independent and not old.thresholds.independent)
    )
    if weaker:
        raise UserError(
            f"{new.folder} promises less than the line "
            f"({_promised(new.thresholds)} instead of {_promised(old.thresholds)}): {again}"
        )


def _is_weaker(new: Thresholds, old: Thresholds) -> bool:
    """Tell whether less is promised; one about defects says more than one about good parts."""
    if old.of_good and new.of_good:
        return new.overkill.at_most > old.overkill.at_most
    return not old.of_good and (new.of_good or new.escape > old.escape)


def _asked(thresholds: Thresholds) -> str:
    if thresholds.of_good:
        return f"overkill={thresholds.overkill.at_most:g}"
    return f"escape={thresholds.escape:g}"


def _promised(thresholds: Thresholds) -> str:
    if thresholds.of_good:
        return spares(thresholds)
    return f"at most {100 * thresholds.escape:g} % escape, " + (
        f"{percent_sure(thresholds.confidence)} % sure"
        + (", taken for independent" if thresholds.independent else "")
    )


def _decisions(
    old: Bundle,
    new: Bundle,
    labelled: LabelledData,
    monitor: Sequence[SampleId],
    progress: Callable[[int, int], None],
) -> tuple[dict[SampleId, str], dict[SampleId, Decision], dict[SampleId, Decision]]:
    """Run both bundles on the monitor images and then on the defects that were trained on.

    Returns:
        The class of each image, and the decisions of both bundles in that order.
    """
    defects = [id for id, label in labelled.training.items() if label not in new.good]
    trained = sorted(id for id in defects if new.defects and id in labelled.data.hashes)
    ids, steps = [*monitor, *trained], count(1)
    total = 2 * len(ids)

    def run(bundle: Bundle) -> dict[SampleId, Decision]:
        return predictions_for(bundle, labelled, ids, done=lambda: progress(next(steps), total))

    return {**labelled.training, **labelled.held_out}, run(old), run(new)


def _only_new(images: Sequence[KnownImage], mistake: Mistake) -> tuple[KnownImage, ...]:
    """Return the images that only the new model gets wrong, by its defect score."""
    return _sorted(
        image
        for image in images
        if mistake(image.label, image.new) and not mistake(image.label, image.old)
    )


def _only_old(images: Sequence[KnownImage], mistake: Mistake) -> tuple[KnownImage, ...]:
    """Return the images that only the old model gets wrong, by the new one's defect score."""
    return _sorted(
        image
        for image in images
        if mistake(image.label, image.old) and not mistake(image.label, image.new)
    )


def _sorted(images: Iterable[KnownImage]) -> tuple[KnownImage, ...]:
    return tuple(sorted(images, key=lambda image: (image.new.defect_score, image.id)))
