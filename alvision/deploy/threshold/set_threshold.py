"""Set a bundle's threshold: run it on the sealed test images once, and write what they prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.data.images import UnreadableImage, load
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.thresholds import (
    ClassPromise,
    Overkill,
    Thresholds,
    promise,
    write_thresholds,
)
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
from alvision.deploy.threshold.plan import (
    PlannedUse,
    ThresholdRequest,
    groups_of,
    log_file,
    plan,
)
from alvision.deploy.train.labelled_data import LabelledData

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

ADVICE = (
    "if you keep known bad parts, photograph them as the line does and import them: "
    "alvision labels import slot=seal from=drawer.csv data.root=..."
)


@dataclass(frozen=True)
class ScoredImages:
    """Sealed images with the defect scores that a bundle gives them.

    Attributes:
        ids: N images.
        labels: Their classes; None where nobody could name one.
        scores: Their defect scores, [N].
        groups: What each is independent by.
        contents: sha256 of each.
    """

    ids: tuple[SampleId, ...]
    labels: tuple[str | None, ...]
    scores: np.ndarray
    groups: tuple[str, ...]
    contents: tuple[str, ...]

    def select(self, keep: Sequence[bool] | np.ndarray) -> ScoredImages:
        """Return the images for which `keep` is true."""
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
) -> Thresholds:
    """Set the largest threshold that keeps the promise, and write `thresholds.json`.

    Only sealed images count, and the exported network scores them in fp32. An image that is not
    known as a good part counts as a defect (unsure, skipped, a class newer than the bundle). One
    defect of each group is drawn, unless `independent` is set; copies of a file are one part.
    Another process that sets a threshold on the same sealed images is waited for.

    Raises:
        NotEnoughDefects: There are too few sealed defects; nothing was scored or written.
        UserError: There is no good class or no defect class, a class was renamed, or a sealed
            image was trained on.
    """
    log = log_file(labelled, config)
    with look_log.locked(log):
        planned = plan(bundle, labelled, config, request)
        if planned.found < planned.needed:
            # Before any score is computed: a refusal must not use up the sealed images.
            raise NotEnoughDefects(
                planned.found, escape=request.escape, confidence=planned.confidence, advice=ADVICE
            )
        hashes = labelled.data.hashes
        used = [id for id in planned.ids if planned.uses(hashes[id])]
        images = _scored(bundle, labelled, used, request, progress)
        is_defect = np.array([content in planned.defects for content in images.contents], bool)
        defects, good = images.select(is_defect), images.select(~is_defect)
        thresholds = _thresholds(bundle, request, planned, defects, good)
        # The log comes first: if the process is killed in between, the use is logged and no
        # threshold exists, and the same command is no further use. The other way round it would
        # go unlogged.
        if planned.use not in planned.earlier:
            look_log.write(log, [*planned.earlier, planned.use])
        write_thresholds(bundle.folder, bundle.identity, thresholds)
    return thresholds


def _thresholds(
    bundle: Bundle,
    request: ThresholdRequest,
    planned: PlannedUse,
    defects: ScoredImages,
    good: ScoredImages,
) -> Thresholds:
    low = _low(defects, request.escape, planned)
    band = _band(request, defects, good, low)
    scores = good.scores[one_a_group(good.groups, _generator())] if good.ids else good.scores
    seen, at_most = overkill(scores, low, confidence=request.confidence)
    thresholds = Thresholds(
        low=band.low,
        high=band.high,
        escape=request.escape,
        confidence=request.confidence,
        independent=request.independent,
        human=band.human,
        defects=len(defects.ids),
        independent_defects=planned.found,
        unnamed=sum(label is None for label in defects.labels),
        good=len(scores),
        overkill=Overkill(seen if len(scores) else None, at_most),
        escaped=_contents(defects, defects.scores < band.low),
        overkilled=_contents(good, good.scores >= band.low),
        per_class=_per_class(bundle, request, planned, defects, low),
        reading=planned.number,
        spent_confidence=planned.confidence,
    )
    return replace(thresholds, promise=promise(thresholds))


def _low(defects: ScoredImages, escape: float, planned: PlannedUse) -> float:
    """Return the threshold of some defects; corrected ones may lower it and never raise it."""
    proof = defects.select([content not in planned.corrected for content in defects.contents])
    return min(
        escape_threshold(
            images.scores,
            escape=escape,
            confidence=planned.confidence,
            groups=images.groups,
            rng=_generator(),
        )
        for images in (proof, defects)
    )


def _generator() -> np.random.Generator:
    """Return the generator that draws one image of each group, always the same.

    A new draw for each request would let somebody ask until a lucky one comes.
    """
    return np.random.default_rng(derive(0, "seal"))


def _contents(images: ScoredImages, keep: np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(images.select(keep).contents))


def _band(request: ThresholdRequest, defects: ScoredImages, good: ScoredImages, low: float) -> Band:
    if request.costs:
        look, scrap = request.costs
        return cost_band(defects.scores, good.scores, low, look=look, scrap=scrap)
    if request.human is not None:
        return human_band(good.scores, low, human=request.human)
    return Band(low, low, 0.0)


def _per_class(
    bundle: Bundle,
    request: ThresholdRequest,
    planned: PlannedUse,
    defects: ScoredImages,
    low: float,
) -> dict[str, ClassPromise]:
    """Return for which classes of defect the promise holds on its own."""
    found = {}
    newer = {label for label in defects.labels if label is not None} - set(bundle.defects)
    for name in (*bundle.defects, *sorted(newer)):
        own = defects.select([label == name for label in defects.labels])
        try:
            holds = low <= _low(own, request.escape, planned)
        except NotEnoughDefects as error:
            found[name] = ClassPromise(error.found, None, error.needed)
        else:
            found[name] = ClassPromise(len(set(own.groups)), bool(holds), 0)
    return found


def _scored(
    bundle: Bundle,
    labelled: LabelledData,
    ids: Sequence[SampleId],
    request: ThresholdRequest,
    progress: Callable[[int, int], None],
) -> ScoredImages:
    scores: list[float] = []
    for done, id in enumerate(ids, start=1):
        try:
            pixels = load(labelled.data.manifest.path(id), bundle.spec)
        except UnreadableImage as error:
            raise UserError(f"the sealed image {id} cannot be read: {error.reason}") from error
        scores.append(float(bundle.defect_scores(bundle.run(pixels[None]).logits)[0]))
        progress(done, len(ids))
    return ScoredImages(
        tuple(ids),
        tuple(labelled.held_out.get(id) for id in ids),
        np.array(scores),
        tuple(groups_of(labelled, ids, request)),
        tuple(labelled.data.hashes[id] for id in ids),
    )
