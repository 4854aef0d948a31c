"""The page of a promotion: what the new model does better and worse, with the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.reporting import html as page

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.promote.compare import Comparison, KnownImage, Measure, Terms
    from alvision.deploy.train.labelled_data import LabelledData

PICTURES = 60
"""Most pictures of one kind."""
KINDS = {
    "error rate": ("Called by a wrong name", "monitor images"),
    "escape rate": ("Bad parts that pass", "bad monitor parts"),
    "overkill rate": ("Good parts that are stopped", "good monitor parts"),
}


def write(
    found: Comparison, old: Bundle, new: Bundle, labelled: LabelledData, terms: Terms, path: Path
) -> None:
    """Write the page.

    Args:
        found: What was compared.
        old: The line's bundle.
        new: The one that is to take its place.
        labelled: Where the pictures are.
        terms: What had to be shown.
        path: The file.
    """
    thumbnails = page.Thumbnails(labelled.data.manifest, new.spec, budget=4 * PICTURES)
    html = page.render(
        "promotion.html",
        old=_name(old),
        new=_name(new),
        promoted=not found.reasons,
        reasons=found.reasons,
        confidence=f"{100 * terms.confidence:g}",
        rows=[_row(measure) for measure in found.measures],
        independent=terms.independent,
        known=page.count(found.known, "known bad part") if new.defects else None,
        galleries=[
            _gallery(title, words, images, thumbnails)
            for title, words, images in _galleries(found, bool(new.defects))
        ],
    )
    page.save(path, html)


def _name(bundle: Bundle) -> str:
    return f"{bundle.folder.name} ({bundle.about['labels_hash'][:8]})"


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
        "at_most": page.signed(100 * pairs.at_most, 1),
        "margin": page.signed(100 * measure.margin, 1),
        "shown": measure.shown,
    }


def _galleries(found: Comparison, defects: bool) -> list[tuple[str, str, Sequence[KnownImage]]]:
    if not defects:
        return [("Newly called by a wrong name", "Only the new model errs here.", found.renamed)]
    return [
        (
            "Bad parts that newly escape",
            "The line stops them today, the new model would let them pass. One is enough to keep "
            "the old model. If one of them is no bad part, correct its label and promote again.",
            found.escaping,
        ),
        (
            "Bad parts that no longer escape",
            "They pass on the line today; the new model stops them.",
            found.caught,
        ),
        (
            "Good parts that are newly stopped",
            "The new model rejects them or sends them to a person.",
            found.stopped,
        ),
        (
            "Good parts that are no longer stopped",
            "They are stopped today for nothing.",
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
                "told": f"{_said(one.old)} → {_said(one.new)}",
                "trained": not one.monitor,
            }
            for one in images[:PICTURES]
        ],
    }


def _said(values: dict[str, Any]) -> str:
    return f"{values['verdict'] or values['class']} {values['defect_score']:.3f}"


def _percent(rate: float) -> str:
    return page.number(100 * rate, 1)
