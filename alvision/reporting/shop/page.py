"""The shop report as a page: what a model catches and what it costs, with the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.deploy.bundle.line_record import how_tested
from alvision.deploy.bundle.promise import (
    evidence,
    for_person,
    percent_at_most,
    percent_range,
    percent_seen,
)
from alvision.reporting import html as page
from alvision.reporting.shop.facts import headline

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.thresholds import Thresholds
    from alvision.deploy.train.labelled_data import LabelledData
    from alvision.labels.voting import Agreement
    from alvision.reporting.shop.facts import MonitorImage, Shop

PICTURES, STRIP = 48, 24
"""Most pictures of one gallery, and of the strip from good to bad."""


def write(shop: Shop, bundle: Bundle, labelled: LabelledData, path: Path) -> None:
    """Write the report as one self-contained page.

    Args:
        shop: The facts.
        bundle: The bundle that they are about.
        labelled: Images and labels.
        path: The file.
    """
    thumbnails = page.Thumbnails(labelled.data.manifest, bundle.spec, budget=2 * PICTURES + STRIP)
    path.parent.mkdir(parents=True, exist_ok=True)
    slipped, stopped = shop.slipped(bundle.good), shop.stopped(bundle.good)
    html = page.render(
        "shop.html",
        name=bundle.manifest.name,
        tested=how_tested(bundle),
        memory=bundle.manifest.memory,
        caught=_caught(bundle.thresholds) if bundle.thresholds else "",
        headline=headline(bundle, shop.outlook),
        thresholds=bundle.thresholds,
        details=evidence(bundle.thresholds) if bundle.thresholds else "",
        person=for_person(bundle.thresholds) if bundle.thresholds else "",
        overkill_limit=percent_at_most(bundle.thresholds.overkill.at_most)
        if bundle.thresholds
        else None,
        outlook=shop.outlook,
        advice=shop.advice,
        defects=bool(bundle.defects),
        bad=sum(image.label not in bundle.good for image in shop.monitor),
        right=sum(image.label == image.decision.class_name for image in shop.monitor),
        monitor=len(shop.monitor),
        percent_range=percent_range,
        percent_seen=percent_seen,
        slipped=_gallery(slipped, shop.escaped, thumbnails),
        stopped=_gallery(stopped, shop.overkilled, thumbnails),
        strip=_strip(shop, bundle, thumbnails),
        classes=shop.classes,
        most=max((row.trained for row in shop.classes), default=0) or 1,
        people=[_person(name, own) for name, own in shop.people.items() if own.images],
        shared=shop.shared,
        unanimous=shop.unanimous,
        made=_made(bundle),
    )
    page.save(path, html)


def _gallery(
    monitor: Sequence[MonitorImage], sealed: int, thumbnails: page.Thumbnails
) -> dict[str, Any]:
    """Return the cards of monitor images, the most that a page holds, and the number of all."""
    cards = [
        {
            "id": image.id,
            "label": image.label,
            "why": _why(image),
            "address": thumbnails.address(image.id),
        }
        for image in monitor[:PICTURES]
    ]
    return {
        "cards": cards,
        "more": len(monitor) - len(cards),
        "sealed": sealed,
        "monitor": len(monitor),
    }


def _strip(shop: Shop, bundle: Bundle, thumbnails: page.Thumbnails) -> list[dict[str, Any]]:
    """Return the monitor images nearest to the threshold, from good to bad."""
    if not bundle.defects:
        return []
    cut = bundle.thresholds.low if bundle.thresholds else 0.5
    below = [image for image in shop.monitor if image.decision.defect_score < cut]
    above = [image for image in shop.monitor if image.decision.defect_score >= cut]
    half = STRIP // 2
    # If one side has fewer images, the other side gets their room.
    low = below[-max(half, STRIP - len(above)) :]
    high = above[: max(half, STRIP - len(low))]
    cards = []
    for image in [*low, *high]:
        stopped = image.decision.verdict != "pass"
        cards.append(
            {
                "id": image.id,
                "address": thumbnails.address(image.id),
                "label": image.label,
                "score": image.decision.defect_score,
                "stopped": stopped,
                "right": (image.label not in bundle.good) == stopped,
                "first": bool(high) and image is high[0],
            }
        )
    return cards


def _caught(thresholds: Thresholds) -> str:
    """Return the share of bad parts that is caught at least.

    >>> from alvision.deploy.bundle.thresholds import Thresholds
    >>> _caught(Thresholds(0.5, 0.5, escape=0.1234, defects=9, of_good=True))
    '≥ 87 %'
    """
    if thresholds.contradicted:
        return "–"
    if not thresholds.of_good:
        return f"≥ {100 * (1 - thresholds.escape):g} %"
    return f"≥ {100 - percent_at_most(thresholds.escape)} %" if thresholds.defects else "not known"


def _why(image: MonitorImage) -> str:
    decision = image.decision
    return f"{decision.verdict}, called {decision.class_name}, {decision.defect_score:.3f}"


def _person(name: str, own: Agreement) -> dict[str, Any]:
    most = sorted(
        ((n, pair) for pair, n in own.confusion.items() if pair[0] != pair[1]), reverse=True
    )
    return {
        "name": name,
        "images": own.images,
        "agreed": own.agreed,
        "share": f"{100 * own.agreed / own.images:.0f} %",
        "most": f"{most[0][1][0]} called {most[0][1][1]} ({most[0][0]})" if most else "–",
    }


def _made(bundle: Bundle) -> list[tuple[str, str]]:
    about = bundle.manifest
    return [
        ("network", f"{about.backbone}, images of {about.image.sides} pixels"),
        ("labels", f"{sum(about.labels.values()):,} ({about.labels_hash[:12]})"),
        ("images", about.data_hash[:12]),
        ("alvision", about.alvision),
    ]
