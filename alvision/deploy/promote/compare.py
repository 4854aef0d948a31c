"""Compare a new model with the line's on the same images: may it take its place?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import predictions_for
from alvision.deploy.bundle.thresholds import Thresholds
from alvision.deploy.bundle.verdict import Decision, escapes, overkilled
from alvision.deploy.promote.paired_test import Paired, paired, pairs_needed
from alvision.deploy.threshold.draw import draw_independent
from alvision.deploy.train.labelled_data import LabelledData

Mistake = Callable[[str, Decision], bool]
"""Tells whether a decision about an image of a class is a mistake."""


@dataclass(frozen=True)
class Terms:
    """The conditions that a new model must be shown to meet.

    Attributes:
        margin: How much worse any rate may be.
        escape_margin: The same for the escape rate alone.
        confidence: Probability that a model which is worse by its margin is refused.
        independent: Every image counts as independent, whatever its group.
    """

    margin: float = 0.01
    escape_margin: float = 0.01
    confidence: float = 0.95
    independent: bool = False


@dataclass(frozen=True)
class KnownImage:
    """An image whose class is known, with the decisions of both models.

    Attributes:
        id: The image.
        label: Its class.
        group: Images of different groups count as independent.
        monitor: It is a monitor image; else it was trained on.
        old: The decision of the line's model.
        new: The decision of the new model.
    """

    id: SampleId
    label: str
    group: str
    monitor: bool
    old: Decision
    new: Decision


@dataclass(frozen=True)
class Measure:
    """One rate of errors: error, escape or overkill.

    Attributes:
        name: Name of the rate.
        old: The old model's rate on the images of `pairs`.
        new: The new model's.
        pairs: The paired comparison, on at most one image of each group.
        margin: What the difference must stay below.
    """

    name: str
    old: float
    new: float
    pairs: Paired
    margin: float

    @property
    def shown(self) -> bool:
        """Tell whether the new model is shown not to be worse."""
        return self.pairs.within(self.margin)


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
        return reasons + [_not_shown(measure) for measure in self.measures if not measure.shown]


def compare(
    old: Bundle,
    new: Bundle,
    labelled: LabelledData,
    terms: Terms,
    *,
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
        progress: Called with (done, total).

    Raises:
        UserError: The bundles do not mean the same by their classes, the new one promises less, or
            a monitor image was trained on.
    """
    check_comparable(old, new)
    defects = new.defects
    monitor, known = _known_images(old, new, labelled, terms, progress)
    escaping = partial(escapes, good=new.good)
    stopping = partial(overkilled, good=new.good)
    measures = [_measure("error rate", monitor, _misnamed, terms.margin, terms)]
    if defects:
        bad = [image for image in monitor if image.label not in new.good]
        good = [image for image in monitor if image.label in new.good]
        measures += [
            _measure("escape rate", bad, escaping, terms.escape_margin, terms),
            _measure("overkill rate", good, stopping, terms.margin, terms),
        ]
    return Comparison(
        measures=tuple(measures),
        escaping=_only_new(known, escaping),
        caught=_only_old(known, escaping),
        # The worst mistakes come first: good parts with the highest defect scores.
        stopped=_only_new(known, stopping)[::-1],
        freed=_only_old(known, stopping),
        renamed=_only_new(monitor, _misnamed),
        known=sum(bool(defects) and image.label not in new.good for image in known),
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
    again = f"alvision threshold bundle={new.folder} escape={old.thresholds.escape:g}"
    if new.thresholds is None:
        raise UserError(f"the line has a promise and {new.folder} has none: {again}")
    weaker = (
        new.thresholds.escape > old.thresholds.escape
        or new.thresholds.confidence < old.thresholds.confidence
        or (new.thresholds.independent and not old.thresholds.independent)
    )
    if weaker:
        raise UserError(
            f"{new.folder} promises less than the line "
            f"({_promised(new.thresholds)} instead of {_promised(old.thresholds)}): {again}"
        )


def _promised(thresholds: Thresholds) -> str:
    return f"at most {100 * thresholds.escape:g} % escape, " + (
        f"{100 * thresholds.confidence:g} % sure"
        + (", taken for independent" if thresholds.independent else "")
    )


def _known_images(
    old: Bundle,
    new: Bundle,
    labelled: LabelledData,
    terms: Terms,
    progress: Callable[[int, int], None],
) -> tuple[list[KnownImage], list[KnownImage]]:
    """Return the monitor images, and these together with the defects that were trained on."""
    monitor, hashes = _monitor(old, new, labelled), labelled.data.hashes
    defects = [id for id, label in labelled.training.items() if label not in new.good]
    trained = sorted(id for id in defects if new.defects and id in hashes)
    labels = {**labelled.training, **labelled.held_out}
    ids, steps = [*monitor, *trained], count(1)
    total = 2 * len(ids)

    def run(bundle: Bundle) -> dict[SampleId, Decision]:
        return predictions_for(bundle, labelled, ids, done=lambda: progress(next(steps), total))

    before, after = run(old), run(new)
    known = [
        KnownImage(
            id=id,
            label=labels[id],
            group=hashes[id] if terms.independent else labelled.groups[id],
            monitor=place < len(monitor),
            old=before[id],
            new=after[id],
        )
        for place, id in enumerate(ids)
    ]
    return known[: len(monitor)], known


def _monitor(old: Bundle, new: Bundle, labelled: LabelledData) -> list[SampleId]:
    ids = labelled.monitor
    if not ids:
        raise UserError(
            "no monitor image has a label, so nothing can be compared: label some of the audit"
        )
    for bundle in (old, new):
        trained = set(bundle.manifest.trained_on)
        for id in ids:
            if labelled.data.hashes[id] in trained:
                raise UserError(
                    f"the monitor image {id} was trained on by {bundle.folder}, so it proves "
                    "nothing: compare models of one data set and one split"
                )
    return ids


def _misnamed(label: str, decision: Decision) -> bool:
    return decision.class_name != label


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


def _measure(
    name: str, images: Sequence[KnownImage], mistake: Mistake, margin: float, terms: Terms
) -> Measure:
    rows: Sequence[int] = []
    if images:
        # The same draw every time: a new one would let somebody repeat until it turns out well.
        rng = np.random.default_rng(derive(0, "promote"))
        rows = draw_independent([image.group for image in images], rng).tolist()
    drawn = [images[row] for row in rows]
    old = np.array([mistake(image.label, image.old) for image in drawn])
    new = np.array([mistake(image.label, image.new) for image in drawn])
    return Measure(
        name,
        float(old.mean()) if drawn else float("nan"),
        float(new.mean()) if drawn else float("nan"),
        paired(old, new, confidence=terms.confidence),
        margin,
    )


def _not_shown(measure: Measure) -> str:
    pairs = measure.pairs
    kind = {"escape rate": "defects", "overkill rate": "good parts"}.get(measure.name, "images")
    needed = pairs_needed(measure.margin, confidence=pairs.confidence)
    reason = (
        f"the {measure.name} may be up to {100 * pairs.at_most:.1f} points higher, and "
        f"{100 * measure.margin:g} are allowed ({pairs.n} independent monitor {kind}, "
        f"{pairs.worse} worse, {pairs.better} better)"
    )
    if pairs.n < needed:
        reason += f"; models that agree on all of them need {needed}"
    return reason
