"""The page of a promotion: the mistakes that only one of two models makes, with the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.deploy.bundle.promise import percent_sure
from alvision.deploy.threshold.binomial import percent_up
from alvision.reporting import html as page

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.verdict import Decision
    from alvision.deploy.promote.compare import Comparison, KnownImage
    from alvision.deploy.promote.rates import Measure
    from alvision.deploy.promote.tries import BegunTry
    from alvision.deploy.train.labelled_data import LabelledData

PICTURES = 60
"""Most pictures of one kind."""
KINDS = {
    "error rate": ("Wrong classes", "monitor images"),
    "escape rate": ("Bad parts that pass", "bad monitor parts"),
    "overkill rate": ("Good parts that are stopped", "good monitor parts"),
}


def write(
    found: Comparison, old: Bundle, new: Bundle, labelled: LabelledData, begun: BegunTry, path: Path
) -> None:
    """Write the page.

    Args:
        found: The comparison.
        old: The line's bundle.
        new: The bundle that is to take its place.
        labelled: Images and labels.
        begun: The try, with what had to be shown.
        path: The file.
    """
    thumbnails = page.Thumbnails(labelled.data.manifest, new.spec, budget=4 * PICTURES)
    html = page.render(
        "promotion.html",
        old=_name(old),
        new=_name(new),
        promoted=not found.reasons,
        reasons=found.reasons,
        confidence=percent_sure(begun.terms.confidence),
        note=begun.note,
        rows=[_row(measure) for measure in found.measures],
        independent=begun.terms.independent,
        known=page.count(found.known, "known bad part") if new.defects else None,
        galleries=[
            _gallery(title, words, images, thumbnails)
            for title, words, images in _galleries(found, bool(new.defects))
        ],
    )
    page.save(path, html)


def _name(bundle: Bundle) -> str:
    return f"{bundle.folder.name} ({bundle.manifest.labels_hash[:8]})"


def _row(measure: Measure) -> dict[str, Any]:
    title, kind = KINDS[measure.name]
    pairs = measure.pairs
    return {
        "title": title,
        "images": f"{pairs.n:,} {kind}",
        "old": _percent(measure.old),
        "new": _percent(measure.new),
        "worse": pairs.worse,
        "better": pairs.better,
        "at_most": f"+{percent_up(pairs.at_most)}",
        "margin": f"+{100 * measure.margin:g}",
        "shown": measure.shown,
    }


def _galleries(found: Comparison, defects: bool) -> list[tuple[str, str, Sequence[KnownImage]]]:
    if not defects:
        return [("Newly given a wrong class", "Only the new model is wrong here.", found.renamed)]
    return [
        (
            "Bad parts that newly escape",
            "The line stops these parts today, and the new model would let them pass. A single one "
            "keeps the old model. If one of them is a good part, correct its label and promote "
            "again.",
            found.escaping,
        ),
        (
            "Bad parts that no longer escape",
            "These pass on the line today, and the new model stops them.",
            found.caught,
        ),
        (
            "Good parts that are newly stopped",
            "The new model rejects these or sends them to a person.",
            found.stopped,
        ),
        (
            "Good parts that are no longer stopped",
            "The line stops these today, and the new model lets them pass.",
            found.freed,
        ),
    ]


def _gallery(
    title: str, words: str, images: Sequence[KnownImage], thumbnails: page.Thumbnails
) -> dict[str, Any]:
    return {
        "title": title,
        "words": words,
        "count": len(images),
        "more": max(0, len(images) - PICTURES),
        "cards": [
            {
                "id": one.id,
                "address": thumbnails.address(one.id),
                "label": one.label,
                "decisions": f"{_decided(one.old)} → {_decided(one.new)}",
                "trained": not one.monitor,
            }
            for one in images[:PICTURES]
        ],
    }


def _decided(decision: Decision) -> str:
    return f"{decision.verdict or decision.class_name} {decision.defect_score:.3f}"


def _percent(rate: float) -> str:
    return page.number(100 * rate, 1)
