"""Judge a bundle on the sealed images, once, and write the promise that they allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alvision.data.images import UnreadableImage, load
from alvision.dataset import audit_file, people
from alvision.delivery import readings
from alvision.delivery.bundle import Bundle, write_thresholds
from alvision.delivery.material import Material
from alvision.delivery.promise import defects_needed
from alvision.delivery.threshold import (
    Band,
    NotEnoughDefects,
    cost_band,
    escape_threshold,
    human_band,
    one_a_group,
    overkill,
)
from alvision.delivery.words import DRAWER, VOIDS, promise
from alvision.errors import UserError
from alvision.records import SampleId
from alvision.seeding import derive

if TYPE_CHECKING:
    from alvision.config import RunConfig


@dataclass(frozen=True)
class Ask:
    """What a promise is asked for.

    Attributes:
        escape: Highest share of defects that may pass.
        confidence: Probability that this holds.
        independent: Take every sealed image for independent, whatever its group.
        human: Share of the parts that a person has time for, if there is a person.
        costs: What a look costs and what a good part costs that is thrown away.
    """

    escape: float
    confidence: float
    independent: bool = False
    human: float | None = None
    costs: tuple[float, float] | None = None

    @property
    def question(self) -> str:
        """Return what the threshold depends on, as text."""
        return f"escape {self.escape:g}, confidence {self.confidence:g}, " + (
            "independent" if self.independent else "by group"
        )


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
    _check_classes(bundle, config)
    ids = _sealed(bundle, material)
    hashes, groups = material.data.hashes, dict(zip(ids, _groups(material, ids, ask), strict=True))
    bad = {hashes[id]: groups[id] for id in ids if _is_defect(bundle, material, id)}
    path = _readings_file(material, config)
    earlier = readings.read(path)
    enough = defects_needed(escape=ask.escape, confidence=ask.confidence)
    reading = readings.plan(
        earlier,
        model=bundle.about["files"]["model.onnx"],
        question=ask.question,
        defects=bad,
        doubt=1 - ask.confidence,
        enough=enough,
    )
    confidence = 1 - reading.doubt
    found = len({bad[content] for content in reading.defects})
    if found < defects_needed(escape=ask.escape, confidence=confidence):
        # Before any score is computed: a refusal must not cost a look.
        raise NotEnoughDefects(found, escape=ask.escape, confidence=confidence, advice=DRAWER)
    used = [id for id in ids if hashes[id] not in bad or hashes[id] in reading.defects]
    sealed = _scored(bundle, material, used, ask, progress)
    is_defect = [content in bad for content in sealed.contents]
    defects, good = sealed.of(is_defect), sealed.of([not defect for defect in is_defect])
    low = _threshold(defects, ask.escape, confidence)
    if reading not in earlier:
        readings.write(path, [*earlier, reading])
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
    earlier: list[readings.Reading],
    reading: readings.Reading,
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
        "per_class": _per_class(bundle, ask, defects, low, confidence),
        "reading": (earlier.index(reading) if reading in earlier else len(earlier)) + 1,
        "spent_confidence": confidence,
        "voids": list(VOIDS),
    }
    return content | {"promise": promise(content)}


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


def _check_classes(bundle: Bundle, config: RunConfig) -> None:
    gone = [name for name in bundle.classes if name not in (config.classes or ())]
    if gone:
        raise UserError(
            f"the bundle knows the class {gone[0]}, which the run no longer has: export it again"
        )
    if not bundle.defects:
        raise UserError(
            "defects= says of no class that it is a defect, so nothing can escape: give "
            '"defects=[...]" to alvision run or train, and export again'
        )
    if len(bundle.defects) == len(bundle.classes):
        raise UserError(
            "every class is a defect, so no part may pass and there is no threshold to draw; "
            "a promise needs a class of good parts"
        )


def _sealed(bundle: Bundle, material: Material) -> list[SampleId]:
    """Return the sealed images that somebody has spoken on, and can be opened."""
    hashes = material.data.hashes
    ids = [
        id
        for id in material.split.seal
        if id in hashes and (id in material.held_out or id in material.doubtful)
    ]
    trained = set(bundle.about["trained_on"])
    for id in ids:
        if hashes[id] in trained:
            raise UserError(
                f"the sealed image {id} was trained on, so it proves nothing: train and export "
                "again, then ask for the threshold"
            )
    return ids


def _is_defect(bundle: Bundle, material: Material, id: SampleId) -> bool:
    label = material.held_out.get(id)
    return label is None or label in bundle.defects


def _groups(material: Material, ids: Sequence[SampleId], ask: Ask) -> list[str]:
    return [id if ask.independent else material.groups[id] for id in ids]


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
        tuple(_groups(material, kept, ask)),
        tuple(material.data.hashes[id] for id in kept),
    )


def _readings_file(material: Material, config: RunConfig) -> Path:
    if people(config):
        beside = audit_file(config, material.data.manifest)
        return beside.with_name("seal_readings.jsonl")
    return Path(str(config.out)) / "seal_readings.jsonl"
