"""Does a new model do the line's work at least as well as the one that is there?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.promote.known_images import (
    escapes,
    monitor_images,
    overkilled,
    predictions_for,
)
from alvision.deploy.promote.paired_test import Paired, paired, pairs_needed
from alvision.deploy.threshold.cutoffs import one_a_group
from alvision.deploy.train.labelled_data import LabelledData


@dataclass(frozen=True)
class Terms:
    """What must be shown of a new model.

    Attributes:
        margin: By so much any rate may be worse.
        escape_margin: The same for the escape rate alone.
        confidence: Probability that a model which is worse by its margin is refused.
        independent: Take every image for independent, whatever its group.
    """

    margin: float = 0.01
    escape_margin: float = 0.01
    confidence: float = 0.95
    independent: bool = False


@dataclass(frozen=True)
class KnownImage:
    """An image whose class is known, and what both models say of it, see `Prediction.values`."""

    id: SampleId
    label: str
    group: str
    monitor: bool
    old: dict[str, Any]
    new: dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """One rate of errors: error, escape or overkill.

    Attributes:
        name: Of the rate.
        old: The old model's, on the images of `pairs`.
        new: The new model's.
        pairs: The paired comparison, on one image of each group.
        margin: What it must stay below.
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
        renamed: Monitor images that only the new model calls by a wrong class.
        known: Known defects that both were asked about.
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
        """Say why the old model stays; nothing if the new one may take its place."""
        said = []
        if self.escaping:
            count = len(self.escaping)
            which = "1 known defect" if count == 1 else f"{count} known defects"
            said.append(
                f"{which} newly escape{'s' if count == 1 else ''} (first {self.escaping[0].id})"
            )
        return said + [_not_shown(measure) for measure in self.measures if not measure.shown]


def compare(
    old: Bundle,
    new: Bundle,
    labelled: LabelledData,
    terms: Terms,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Let two bundles judge the monitor images and every known defect that is not sealed.

    The rates are compared on the monitor images alone, which neither was trained on: one random
    image of each group, so that the pairs are independent, each rate with a test of its own at the
    full level. The new model passes only if all of them are shown not to be worse, so the level
    needs no correction (intersection-union, Berger 1982, doi:10.1080/00401706.1982.10487790).
    Images that nobody could name are left out. A defect that was trained on and newly escapes
    counts as well: that it was trained on makes it worse.

    Raises:
        UserError: The bundles do not mean the same by their classes, the new one promises less, or
            a monitor image was trained on.
    """
    check(old, new)
    monitor = _monitor(old, new, labelled)
    hashes, defects = labelled.data.hashes, new.defects
    trained = [id for id, label in labelled.training.items() if label in defects and id in hashes]
    ids = [*monitor, *sorted(trained)]
    done = [0]

    def one() -> None:
        done[0] += 1
        progress(done[0], 2 * len(ids))

    before, after = (predictions_for(bundle, labelled, ids, done=one) for bundle in (old, new))
    labels = labelled.held_out
    known = [
        KnownImage(
            id,
            labels[id] if place < len(monitor) else labelled.training[id],
            id if terms.independent else labelled.groups[id],
            place < len(monitor),
            before[id],
            after[id],
        )
        for place, id in enumerate(ids)
    ]
    judged = known[: len(monitor)]
    bad = [one for one in judged if one.label in defects]
    good = [one for one in judged if one.label not in defects]

    def only(rule: Callable[..., bool], wrong: str, right: str) -> tuple[KnownImage, ...]:
        found = [
            one
            for one in known
            if rule(one.label, getattr(one, wrong), defects)
            and not rule(one.label, getattr(one, right), defects)
        ]
        return tuple(sorted(found, key=lambda one: (one.new["defect_score"], one.id)))

    measures = [_measure("error rate", judged, _misnamed, defects, terms.margin, terms)]
    if defects:
        measures += [
            _measure("escape rate", bad, escapes, defects, terms.escape_margin, terms),
            _measure("overkill rate", good, overkilled, defects, terms.margin, terms),
        ]
    return Comparison(
        tuple(measures),
        only(escapes, "new", "old"),
        only(escapes, "old", "new"),
        only(overkilled, "new", "old")[::-1],
        only(overkilled, "old", "new"),
        tuple(one for one in only(_misnamed, "new", "old") if one.monitor),
        sum(one.label in defects for one in known),
    )


def check(old: Bundle, new: Bundle) -> None:
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
    again = f"alvision threshold bundle={new.folder} escape={old.thresholds['escape']:g}"
    if new.thresholds is None:
        raise UserError(f"the line has a promise and {new.folder} has none: {again}")
    weaker = (
        new.thresholds["escape"] > old.thresholds["escape"]
        or new.thresholds["confidence"] < old.thresholds["confidence"]
        or (new.thresholds["independent"] and not old.thresholds["independent"])
    )
    if weaker:
        raise UserError(
            f"{new.folder} promises less than the line "
            f"({_promised(new.thresholds)} instead of {_promised(old.thresholds)}): {again}"
        )


def _promised(thresholds: dict[str, Any]) -> str:
    return f"at most {100 * thresholds['escape']:g} % escape, " + (
        f"{100 * thresholds['confidence']:g} % sure"
        + (", taken for independent" if thresholds["independent"] else "")
    )


def _monitor(old: Bundle, new: Bundle, labelled: LabelledData) -> list[SampleId]:
    ids = monitor_images(labelled)
    if not ids:
        raise UserError(
            "no monitor image has a label, so nothing can be compared: label some of the audit"
        )
    for bundle in (old, new):
        trained = set(bundle.about["trained_on"])
        for id in ids:
            if labelled.data.hashes[id] in trained:
                raise UserError(
                    f"the monitor image {id} was trained on by {bundle.folder}, so it proves "
                    "nothing: compare models of one data set and one split"
                )
    return ids


def _misnamed(label: str, values: dict[str, Any], defects: Sequence[str]) -> bool:
    return bool(values["class"] != label)


def _measure(
    name: str,
    images: Sequence[KnownImage],
    rule: Callable[..., bool],
    defects: Sequence[str],
    margin: float,
    terms: Terms,
) -> Measure:
    rows: Sequence[int] = []
    if images:
        rng = np.random.default_rng(derive(0, "promote"))
        rows = one_a_group([one.group for one in images], rng).tolist()
    old, new = (
        np.array([rule(images[row].label, getattr(images[row], which), defects) for row in rows])
        for which in ("old", "new")
    )
    return Measure(
        name,
        float(old.mean()) if len(rows) else float("nan"),
        float(new.mean()) if len(rows) else float("nan"),
        paired(old, new, confidence=terms.confidence),
        margin,
    )


def _not_shown(measure: Measure) -> str:
    pairs = measure.pairs
    kind = {"escape rate": "defects", "overkill rate": "good parts"}.get(measure.name, "images")
    needed = pairs_needed(measure.margin, confidence=pairs.confidence)
    said = (
        f"the {measure.name} may be up to {100 * pairs.at_most:.1f} points higher, and "
        f"{100 * measure.margin:g} are allowed ({pairs.n} independent monitor {kind}, "
        f"{pairs.worse} worse, {pairs.better} better)"
    )
    if pairs.n < needed:
        said += f"; models that agree on all of them need {needed}"
    return said
