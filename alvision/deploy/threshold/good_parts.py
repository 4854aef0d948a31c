"""A promise about good parts: at most so many of them are stopped, whatever is known of defects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alvision.core.shell import command
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.promise import percent_sure
from alvision.deploy.threshold.binomial import best_escape, percent_up
from alvision.deploy.threshold.cutoffs import just_above, overkill, overkill_threshold
from alvision.deploy.threshold.draw import seal_generator
from alvision.deploy.threshold.plan import (
    PlannedUse,
    ThresholdRequest,
    is_defect,
    more_sealed,
    plan,
    sealed_images,
)
from alvision.deploy.threshold.scored_images import ScoredImages
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


def low_enough(good: ScoredImages, share: float, planned: PlannedUse) -> float:
    """Return the threshold of some good parts; corrected ones may raise it and never lower it."""
    proof = good.select([content not in planned.corrected for content in good.contents])
    low = max(
        overkill_threshold(
            images.scores,
            overkill=share,
            confidence=planned.confidence,
            groups=images.groups,
            rng=seal_generator(),
        )
        for images in (proof, good)
    )
    return just_above(low, slack=good.slack)


def escape_at_most(defects: ScoredImages, low: float, planned: PlannedUse) -> tuple[float, int]:
    """Return the share of defects that pass at most, and how many independent ones show it."""
    # One that is a hair above the threshold may pass when it is scored again.
    passing = (defects.scores < just_above(min(low, 1.0), slack=defects.slack)).astype(float)
    _, at_most = overkill(
        passing,
        0.5,
        confidence=planned.confidence,
        groups=defects.groups,
        rng=seal_generator(),
    )
    return at_most, defects.independent


def too_few_good(
    planned: PlannedUse, request: ThresholdRequest, labelled: LabelledData, config: RunConfig
) -> str:
    """Say how many sealed good parts are missing."""
    assert request.overkill is not None
    best = best_escape(planned.found, confidence=planned.confidence)
    now = f"; the best that can be promised now is {percent_up(best)} %" if planned.found else ""
    return (
        f"an overkill rate of {100 * request.overkill:g} % with {percent_sure(planned.confidence)} "
        f"% confidence needs {planned.needed} independent sealed good parts, and there are "
        f"{planned.found}: {planned.needed - planned.found} more{now}; "
        f"{more_sealed(labelled, config, 'good')}"
    )


def or_overkill(bundle: Bundle, labelled: LabelledData) -> str:
    """Name the promise that can be made while no defect is sealed; empty where there are some."""
    if any(is_defect(bundle, labelled, id) for id in sealed_images(bundle, labelled)):
        return ""
    words = (f"bundle={bundle.folder}", "overkill=0.05")
    return f"; good parts can be promised about: {command('alvision', 'threshold', *words)}"


def still_needed(
    bundle: Bundle, labelled: LabelledData, config: RunConfig, request: ThresholdRequest
) -> str:
    """Say what a promise about bad parts still needs; no image is scored."""
    planned = plan(bundle, labelled, config, replace(request, overkill=None))
    wanted = (
        f"That at most {100 * request.escape:g} of 100 bad parts pass, "
        f"{percent_sure(request.confidence)} % sure,"
    )
    missing = planned.needed - planned.found
    if missing > 0:
        return (
            f"{wanted} cannot be promised yet: it needs {planned.needed} independent sealed "
            f"defects, and there are {planned.found}: {missing} more; "
            f"{more_sealed(labelled, config)}"
        )
    words = (f"bundle={bundle.folder}", f"escape={request.escape:g}")
    return f"{wanted} can be promised now: {command('alvision', 'threshold', *words)}"
