"""Set a bundle's threshold: run it on the sealed test images once, and write what they prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.promise import promise
from alvision.deploy.bundle.thresholds import (
    VOIDS,
    VOIDS_OF_GOOD,
    ClassPromise,
    Overkill,
    Thresholds,
    write_thresholds,
)
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.bands import Band, cost_band, human_band
from alvision.deploy.threshold.cutoffs import (
    NotEnoughDefects,
    escape_threshold,
    just_below,
    overkill,
)
from alvision.deploy.threshold.draw import seal_generator
from alvision.deploy.threshold.good_parts import (
    escape_at_most,
    low_enough,
    or_overkill,
    too_few_good,
)
from alvision.deploy.threshold.plan import (
    PlannedUse,
    ThresholdRequest,
    is_defect,
    log_files,
    more_sealed,
    plan,
)
from alvision.deploy.threshold.scored_images import ScoredImages, score
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


def set_threshold(
    bundle: Bundle,
    labelled: LabelledData,
    config: RunConfig,
    request: ThresholdRequest,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Thresholds:
    """Set the largest threshold that keeps the promise, and write `thresholds.json`.

    With `request.overkill` it is the smallest one that stops few enough good parts; how many
    defects pass then is told from the sealed ones, if there are any.

    Only sealed images count, and the exported network scores them in fp32. An image that is not
    known as a good part counts as a defect (unsure, skipped, a class newer than the bundle). The
    promise is proven on defects of which no two are of one group, each with the same chance to be
    drawn, unless `independent` is set; copies of a file are one part.
    Another process that sets a threshold on the same sealed images is waited for.

    Raises:
        NotEnoughDefects: There are too few sealed defects; nothing was scored or written.
        UserError: There is no good class or no defect class, a class was renamed, a sealed image
            was trained on, or nobody knows the share of defects on the line, which a person's band
            needs.
    """
    shared, *own = log_files(labelled, config)
    with look_log.locked(shared):
        planned = plan(bundle, labelled, config, request)
        if planned.of_good and planned.found < planned.needed:
            raise UserError(too_few_good(planned, request, labelled, config))
        if planned.found < planned.needed:
            # Before any score is computed: a refusal must not use up the sealed images.
            raise NotEnoughDefects(
                planned.found,
                escape=request.escape,
                confidence=planned.confidence,
                advice=_advice(planned, request, labelled, config) + or_overkill(bundle, labelled),
            )
        share = _defect_share(bundle, labelled, request)
        hashes = labelled.data.hashes
        used = sorted(
            (id for id in planned.ids if planned.uses(hashes[id])), key=lambda id: hashes[id]
        )
        images = score(bundle, labelled, used, request, progress)
        bad = np.array([content in planned.defects for content in images.contents], bool)
        defects, good = images.select(bad), images.select(~bad)
        thresholds = _thresholds(bundle, request, planned, defects, good, share)
        # The log comes first: if the process is killed in between, the use is logged and no
        # threshold exists, and the same command is no further use. The other way round it would
        # go unlogged.
        if not planned.known:
            look_log.write(shared, [*planned.logged, planned.use])
            for log in own:
                look_log.write(log, [*look_log.read(log), planned.use])
        write_thresholds(bundle.folder, bundle.identity, thresholds)
    return thresholds


def _thresholds(
    bundle: Bundle,
    request: ThresholdRequest,
    planned: PlannedUse,
    defects: ScoredImages,
    good: ScoredImages,
    share: float | None,
) -> Thresholds:
    if request.overkill is None:
        low, escape = _low(defects, request.escape, planned), request.escape
        proven = planned.found
    else:
        low = low_enough(good, request.overkill, planned)
        escape, proven = escape_at_most(defects, low, planned)
    band = _band(request, defects, good, low, share)
    seen, at_most = overkill(
        good.scores,
        low,
        confidence=request.confidence,
        groups=good.groups,
        rng=seal_generator(),
    )
    thresholds = Thresholds(
        low=band.low,
        high=band.high,
        escape=escape,
        confidence=request.confidence,
        independent=request.independent,
        human=band.human,
        defects=len(defects.ids),
        independent_defects=proven,
        lots=defects.lots,
        unnamed=sum(label is None for label in defects.labels),
        good=planned.found if planned.of_good else good.independent,
        overkill=Overkill(
            seen if good.ids else None, at_most if request.overkill is None else request.overkill
        ),
        escaped=_contents(defects, defects.scores < band.low),
        overkilled=_contents(good, good.scores >= band.low),
        per_class={} if planned.of_good else _per_class(bundle, request, planned, defects, low),
        reading=planned.number,
        spent_confidence=planned.confidence,
        joint_confidence=planned.joint_confidence,
        defect_share=share,
        of_good=planned.of_good,
        voids=VOIDS_OF_GOOD if planned.of_good else VOIDS,
    )
    return replace(thresholds, promise=promise(thresholds))


def _low(defects: ScoredImages, escape: float, planned: PlannedUse) -> float:
    """Return the threshold of some defects; corrected ones may lower it and never raise it."""
    proof = defects.select([content not in planned.corrected for content in defects.contents])
    low = min(
        escape_threshold(
            images.scores,
            escape=escape,
            confidence=planned.confidence,
            groups=images.groups,
            rng=seal_generator(),
        )
        for images in (proof, defects)
    )
    return just_below(low, slack=defects.slack)


def _advice(
    planned: PlannedUse, request: ThresholdRequest, labelled: LabelledData, config: RunConfig
) -> str:
    """Say why so many are needed or so few count, and how to get more sealed defects."""
    reasons = []
    if planned.number > 1:
        times = "1 time" if planned.number == 2 else f"{planned.number - 1} times"
        reasons.append(f"the sealed images were used {times} before")
    if planned.by_rounds:
        reasons.append(
            f"{planned.by_rounds} of these uses are rounds of this simulated run, which are "
            "evaluated on the sealed images too (`train` without a run, in a new out=, has none)"
        )
    if planned.corrected:
        reasons.append(
            f"{len(planned.corrected)} sealed defects prove nothing, because they were scored as "
            "good parts before somebody called them bad"
        )
    sizes = Counter(planned.defects[content] for content in planned.use.defects).values()
    if not request.independent and len(set(sizes)) > 1:
        reasons.append(
            f"the {sum(sizes)} defects are of {len(sizes)} lots with {min(sizes)} to {max(sizes)} "
            "each, and smaller lots count less than the largest"
        )
    return "; ".join([*reasons, more_sealed(labelled, config)])


def _defect_share(
    bundle: Bundle, labelled: LabelledData, request: ThresholdRequest
) -> float | None:
    """Return the share of defects on the line; None where no person looks, so nobody asks.

    Raises:
        UserError: It was not given, and no monitor image has a label.
    """
    if request.costs is None and request.human is None:
        return None
    if request.defect_share is not None:
        return request.defect_share
    # The monitor is a random sample of the photographs; the sealed images need not be one.
    answered = labelled.held_out.keys() | labelled.doubtful
    bad = [is_defect(bundle, labelled, id) for id in labelled.split.monitor if id in answered]
    if not bad:
        raise UserError(
            "which parts a person sees depends on the share of bad parts on the line, and no "
            "monitor image has a label to tell it: give it, e.g. defect_share=0.01"
        )
    return sum(bad) / len(bad)


def _contents(images: ScoredImages, keep: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(images.select(keep).contents))


def _band(
    request: ThresholdRequest,
    defects: ScoredImages,
    good: ScoredImages,
    low: float,
    share: float | None,
) -> Band:
    if share is None:
        return Band(low, low, 0.0)
    scores = defects.scores, good.scores
    if request.costs:
        look, scrap = request.costs
        return cost_band(*scores, low, look=look, scrap=scrap, defect_share=share)
    assert request.human is not None
    return human_band(*scores, low, human=request.human, defect_share=share)


def _per_class(
    bundle: Bundle,
    request: ThresholdRequest,
    planned: PlannedUse,
    defects: ScoredImages,
    low: float,
) -> dict[str, ClassPromise]:
    """Return for which classes of defect the promise is proven by itself."""
    found = {}
    newer = {label for label in defects.labels if label is not None} - set(bundle.defects)
    for name in (*bundle.defects, *sorted(newer)):
        own = defects.select([label == name for label in defects.labels])
        try:
            holds = low <= _low(own, request.escape, planned)
        except NotEnoughDefects as error:
            found[name] = ClassPromise(error.found, None, error.needed)
        else:
            found[name] = ClassPromise(own.independent, bool(holds), 0)
    return found
