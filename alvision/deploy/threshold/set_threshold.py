"""Judge a bundle on the sealed images, once, and write the promise that they allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.data.images import UnreadableImage, load
from alvision.deploy.bundle.bundle import Bundle, write_thresholds
from alvision.deploy.threshold import look_log
from alvision.deploy.threshold.cutoffs import (
    Band,
    NotEnoughDefects,
    cost_band,
    escape_threshold,
    human_band,
    one_a_group,
    overkill,
)
from alvision.deploy.threshold.plan import ThresholdRequest, groups_of, log_file, plan
from alvision.deploy.threshold.wording import DRAWER, VOIDS, promise
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class ScoredImages:
    """Scores of sealed images: of defects and of good parts, with class and group."""

    ids: tuple[SampleId, ...]
    labels: tuple[str | None, ...]
    scores: np.ndarray
    groups: tuple[str, ...]
    contents: tuple[str, ...]

    def select(self, keep: Sequence[bool]) -> ScoredImages:
        """Return some of them."""
        rows = [i for i, kept in enumerate(keep) if kept]
        return ScoredImages(
            tuple(self.ids[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            self.scores[rows],
            tuple(self.groups[i] for i in rows),
            tuple(self.contents[i] for i in rows),
        )


def set_threshold(
    bundle: Bundle,
    labelled: LabelledData,
    config: RunConfig,
    request: ThresholdRequest,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Set the largest threshold that keeps the promise, and write `thresholds.json`.

    Only sealed images count, by the exported network in fp32. An image that nobody could name
    (unsure, skipped) counts as a defect. Of each group one defect is drawn, unless `independent`.

    Returns:
        What `thresholds.json` says.

    Raises:
        NotEnoughDefects: The sealed defects prove too little; nothing was looked at or written.
        UserError: There is no good class or no defect class, a class was renamed, or a sealed
            image was trained on.
    """
    look = plan(bundle, labelled, config, request)
    bad, use, earlier, confidence = look.bad, look.use, look.earlier, look.confidence
    if look.found < look.needed:
        # Before any score is computed: a refusal must not cost a look.
        raise NotEnoughDefects(
            look.found, escape=request.escape, confidence=confidence, advice=DRAWER
        )
    hashes = labelled.data.hashes
    used = [id for id in look.ids if hashes[id] not in bad or hashes[id] in use.defects]
    sealed = _scored(bundle, labelled, used, request, progress)
    is_defect = [content in bad for content in sealed.contents]
    defects, good = sealed.select(is_defect), sealed.select([not defect for defect in is_defect])
    low = _threshold(defects, request.escape, confidence)
    if use not in earlier:
        look_log.write(log_file(labelled, config), [*earlier, use])
    content = _content(bundle, request, defects, good, low, confidence, earlier, use)
    write_thresholds(bundle, content)
    return content


def _threshold(defects: ScoredImages, escape: float, confidence: float) -> float:
    return escape_threshold(
        defects.scores,
        escape=escape,
        confidence=confidence,
        groups=defects.groups,
        rng=_rng(),
    )


def _rng() -> np.random.Generator:
    return np.random.default_rng(derive(0, "seal"))


def _content(
    bundle: Bundle,
    request: ThresholdRequest,
    defects: ScoredImages,
    good: ScoredImages,
    low: float,
    confidence: float,
    earlier: list[look_log.SealUse],
    use: look_log.SealUse,
) -> dict[str, Any]:
    scores = good.scores[one_a_group(good.groups, _rng())] if len(good.ids) else good.scores
    seen, at_most = overkill(scores, low, confidence=request.confidence)
    band = _band(request, defects, good, low)
    content = {
        "escape": request.escape,
        "confidence": request.confidence,
        "independent": request.independent,
        "low": band.low,
        "high": band.high,
        "human": band.human,
        "defects": len(defects.ids),
        "independent_defects": len(set(defects.groups)),
        "unnamed": sum(label is None for label in defects.labels),
        "good": len(scores),
        "overkill": {"seen": seen if len(scores) else None, "at_most": at_most},
        "escaped": _contents(defects, defects.scores < band.low),
        "overkilled": _contents(good, good.scores >= band.low),
        "per_class": _per_class(bundle, request, defects, low, confidence),
        "reading": (earlier.index(use) if use in earlier else len(earlier)) + 1,
        "spent_confidence": confidence,
        "voids": list(VOIDS),
    }
    return content | {"promise": promise(content)}


def _contents(images: ScoredImages, keep: np.ndarray) -> list[str]:
    return sorted(images.select(keep.tolist()).contents)


def _band(request: ThresholdRequest, defects: ScoredImages, good: ScoredImages, low: float) -> Band:
    if request.costs:
        look, scrap = request.costs
        return cost_band(defects.scores, good.scores, low, look=look, scrap=scrap)
    if request.human is not None:
        return human_band(good.scores, low, human=request.human)
    return Band(low, low, 0.0)


def _per_class(
    bundle: Bundle, request: ThresholdRequest, defects: ScoredImages, low: float, confidence: float
) -> dict[str, Any]:
    """Tell for which kinds of defect the promise holds on their own."""
    told: dict[str, Any] = {}
    for name in bundle.defects:
        own = defects.select([label == name for label in defects.labels])
        try:
            holds = low <= _threshold(own, request.escape, confidence)
        except NotEnoughDefects as no:
            told[name] = {"defects": no.found, "holds": None, "needed": no.needed}
        else:
            told[name] = {"defects": len(set(own.groups)), "holds": bool(holds), "needed": 0}
    return told


def _scored(
    bundle: Bundle,
    labelled: LabelledData,
    ids: Sequence[SampleId],
    request: ThresholdRequest,
    progress: Callable[[int, int], None],
) -> ScoredImages:
    kept: list[SampleId] = []
    scores: list[float] = []
    for done, id in enumerate(ids, start=1):
        try:
            pixels = load(labelled.data.manifest.path(id), bundle.spec)
        except UnreadableImage as error:
            raise UserError(f"the sealed image {id} cannot be read: {error.reason}") from error
        kept.append(id)
        scores.append(float(bundle.defect_scores(bundle.run(pixels[None]).logits)[0]))
        progress(done, len(ids))
    return ScoredImages(
        tuple(kept),
        tuple(labelled.held_out.get(id) for id in kept),
        np.array(scores),
        tuple(groups_of(labelled, kept, request)),
        tuple(labelled.data.hashes[id] for id in kept),
    )
