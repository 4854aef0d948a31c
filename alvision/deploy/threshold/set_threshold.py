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
from alvision.deploy.threshold.plan import Ask, groups_of, plan, readings_file
from alvision.deploy.threshold.wording import DRAWER, VOIDS, promise
from alvision.deploy.train.labelled_data import Material

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig


@dataclass(frozen=True)
class Sealed:
    """Scores of sealed images: of defects and of good parts, with class and group."""

    ids: tuple[SampleId, ...]
    labels: tuple[str | None, ...]
    scores: np.ndarray
    groups: tuple[str, ...]
    contents: tuple[str, ...]

    def of(self, keep: Sequence[bool]) -> Sealed:
        """Return some of them."""
        rows = [i for i, kept in enumerate(keep) if kept]
        return Sealed(
            tuple(self.ids[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            self.scores[rows],
            tuple(self.groups[i] for i in rows),
            tuple(self.contents[i] for i in rows),
        )


def judge(
    bundle: Bundle,
    material: Material,
    config: RunConfig,
    ask: Ask,
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
    look = plan(bundle, material, config, ask)
    bad, reading, earlier, confidence = look.bad, look.reading, look.earlier, look.confidence
    if look.found < look.needed:
        # Before any score is computed: a refusal must not cost a look.
        raise NotEnoughDefects(look.found, escape=ask.escape, confidence=confidence, advice=DRAWER)
    hashes = material.data.hashes
    used = [id for id in look.ids if hashes[id] not in bad or hashes[id] in reading.defects]
    sealed = _scored(bundle, material, used, ask, progress)
    is_defect = [content in bad for content in sealed.contents]
    defects, good = sealed.of(is_defect), sealed.of([not defect for defect in is_defect])
    low = _threshold(defects, ask.escape, confidence)
    if reading not in earlier:
        look_log.write(readings_file(material, config), [*earlier, reading])
    content = _content(bundle, ask, defects, good, low, confidence, earlier, reading)
    write_thresholds(bundle, content)
    return content


def _threshold(defects: Sealed, escape: float, confidence: float) -> float:
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
    ask: Ask,
    defects: Sealed,
    good: Sealed,
    low: float,
    confidence: float,
    earlier: list[look_log.Reading],
    reading: look_log.Reading,
) -> dict[str, Any]:
    scores = good.scores[one_a_group(good.groups, _rng())] if len(good.ids) else good.scores
    seen, at_most = overkill(scores, low, confidence=ask.confidence)
    band = _band(ask, defects, good, low)
    content = {
        "escape": ask.escape,
        "confidence": ask.confidence,
        "independent": ask.independent,
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
        "per_class": _per_class(bundle, ask, defects, low, confidence),
        "reading": (earlier.index(reading) if reading in earlier else len(earlier)) + 1,
        "spent_confidence": confidence,
        "voids": list(VOIDS),
    }
    return content | {"promise": promise(content)}


def _contents(images: Sealed, keep: np.ndarray) -> list[str]:
    return sorted(images.of(keep.tolist()).contents)


def _band(ask: Ask, defects: Sealed, good: Sealed, low: float) -> Band:
    if ask.costs:
        look, scrap = ask.costs
        return cost_band(defects.scores, good.scores, low, look=look, scrap=scrap)
    if ask.human is not None:
        return human_band(good.scores, low, human=ask.human)
    return Band(low, low, 0.0)


def _per_class(
    bundle: Bundle, ask: Ask, defects: Sealed, low: float, confidence: float
) -> dict[str, Any]:
    """Tell for which kinds of defect the promise holds on their own."""
    told: dict[str, Any] = {}
    for name in bundle.defects:
        own = defects.of([label == name for label in defects.labels])
        try:
            holds = low <= _threshold(own, ask.escape, confidence)
        except NotEnoughDefects as no:
            told[name] = {"defects": no.found, "holds": None, "needed": no.needed}
        else:
            told[name] = {"defects": len(set(own.groups)), "holds": bool(holds), "needed": 0}
    return told


def _scored(
    bundle: Bundle,
    material: Material,
    ids: Sequence[SampleId],
    ask: Ask,
    progress: Callable[[int, int], None],
) -> Sealed:
    kept: list[SampleId] = []
    scores: list[float] = []
    for done, id in enumerate(ids, start=1):
        try:
            pixels = load(material.data.manifest.path(id), bundle.spec)
        except UnreadableImage as error:
            raise UserError(f"the sealed image {id} cannot be read: {error.reason}") from error
        kept.append(id)
        scores.append(float(bundle.defect_scores(bundle.run(pixels[None]).logits)[0]))
        progress(done, len(ids))
    return Sealed(
        tuple(kept),
        tuple(material.held_out.get(id) for id in kept),
        np.array(scores),
        tuple(groups_of(material, kept, ask)),
        tuple(material.data.hashes[id] for id in kept),
    )
