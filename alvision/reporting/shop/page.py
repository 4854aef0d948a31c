"""The shop report: what a model catches and costs, in a shop's words and with the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.reporting import html as page
from alvision.reporting.shop.facts import headline

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.train.labelled_data import LabelledData
    from alvision.reporting.shop.facts import MonitorImage, Shop

PICTURES, STRIP = 48, 24
"""Most pictures of one kind, and of the strip."""


def write(shop: Shop, bundle: Bundle, labelled: LabelledData, path: Path) -> None:
    """Write the report as one self-contained page.

    Args:
        shop: What is known.
        bundle: The bundle that it is about.
        labelled: Where the pictures are.
        path: The file.
    """
    thumbnails = page.Thumbnails(labelled.data.manifest, bundle.spec, budget=2 * PICTURES + STRIP)
    limits = bundle.thresholds
    path.parent.mkdir(parents=True, exist_ok=True)
    html = page.render(
        "shop.html",
        name=bundle.about["name"],
        headline=headline(bundle, shop.outlook),
        promised=limits is not None,
        details=(limits or {}).get("promise", "").partition(". ")[2],
        voids=(limits or {}).get("voids", []),
        advice=shop.advice,
        tiles=_tiles(shop, bundle),
        defects=bool(bundle.defects),
        slipped=_pictures(
            shop, shop.escaped, shop.slipped(bundle.defects), len(shop.escaped), thumbnails
        ),
        stopped=_pictures(
            shop, shop.overkilled, shop.stopped(bundle.defects), len(shop.overkilled), thumbnails
        ),
        strip=_strip(shop, bundle, thumbnails),
        classes=shop.classes,
        most=max((row.trained for row in shop.classes), default=0) or 1,
        per_class=(limits or {}).get("per_class", {}),
        people=[_person(name, own) for name, own in shop.people.items() if own.images],
        shared=shop.shared,
        unanimous=shop.unanimous,
        made=_made(bundle),
    )
    page.save(path, html)


def _tiles(shop: Shop, bundle: Bundle) -> list[tuple[str, str, str]]:
    limits, monitor = bundle.thresholds, shop.monitor
    right = sum(one.label == one.values["class"] for one in monitor)
    tiles = []
    if limits:
        seen, most = limits["overkill"]["seen"], limits["overkill"]["at_most"]
        tiles = [
            (
                "bad parts caught",
                f"≥ {100 * (1 - limits['escape']):g} %",
                f"proven on {page.count(limits['independent_defects'], 'sealed bad part')}",
            ),
            (
                "good parts stopped",
                "–" if seen is None else f"{100 * seen:.0f} %",
                f"at most {100 * most:.0f} %, on {page.count(limits['good'], 'sealed good part')}",
            ),
        ]
        if limits["human"]:
            tiles.append(("for a person", f"{100 * limits['human']:.0f} %", "of the parts"))
    elif bundle.defects and not shop.outlook.obstacle:
        have = f"{shop.outlook.found} of {shop.outlook.needed}"
        tiles = [("sealed bad parts", have, "independent ones, for the promise")]
    if bundle.defects:
        bad = sum(one.label in bundle.defects for one in monitor)
        tiles.append(
            (
                "slipped through",
                str(len(shop.slipped(bundle.defects))),
                f"of {page.count(bad, 'bad monitor part')}",
            )
        )
        tiles.append(
            (
                "stopped for nothing",
                str(len(shop.stopped(bundle.defects))),
                f"of {page.count(len(monitor) - bad, 'good monitor part')}",
            )
        )
    if monitor:
        share = f"{100 * right / len(monitor):.0f} %"
        tiles.append(
            ("called by its name", share, f"of {page.count(len(monitor), 'monitor image')}")
        )
    return tiles


def _pictures(
    shop: Shop,
    sealed: Sequence[SampleId],
    monitor: Sequence[MonitorImage],
    proven: int,
    thumbnails: page.Thumbnails,
) -> dict[str, Any]:
    cards: list[dict[str, Any]] = [
        {"id": id, "label": shop.labels.get(id, "nobody could name it"), "told": "", "sealed": True}
        for id in sealed
    ]
    cards += [
        {"id": one.id, "label": one.label, "told": _told(one), "sealed": False} for one in monitor
    ]
    for card in cards[:PICTURES]:
        card["address"] = thumbnails.address(card["id"])
    return {
        "cards": cards[:PICTURES],
        "more": max(0, len(cards) - PICTURES),
        "sealed": proven,
        "monitor": len(monitor),
    }


def _strip(shop: Shop, bundle: Bundle, thumbnails: page.Thumbnails) -> list[dict[str, Any]]:
    """Return the monitor images around the line between good and bad, from good to bad."""
    if not bundle.defects:
        return []
    cut = (bundle.thresholds or {"low": 0.5})["low"]
    below = [one for one in shop.monitor if one.values["defect_score"] < cut]
    above = [one for one in shop.monitor if one.values["defect_score"] >= cut]
    half = STRIP // 2
    low = below[-max(half, STRIP - len(above)) :]
    high = above[: max(half, STRIP - len(low))]
    return [
        {
            "id": one.id,
            "address": thumbnails.address(one.id),
            "label": one.label,
            "score": one.values["defect_score"],
            "stopped": one.values["verdict"] != "pass",
            "right": (one.label in bundle.defects) == (one.values["verdict"] != "pass"),
            "first": one is (high[0] if high else None),
        }
        for one in [*low, *high]
    ]


def _told(one: MonitorImage) -> str:
    return (
        f"{one.values['verdict']}, called {one.values['class']}, {one.values['defect_score']:.3f}"
    )


def _person(name: str, own: Any) -> dict[str, Any]:
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
    about = bundle.about
    return [
        ("network", f"{about['backbone']}, images of {about['image']['size']} pixels"),
        ("labels", f"{sum(about['labels'].values()):,} ({about['labels_hash'][:12]})"),
        ("images", about["data_hash"][:12]),
        ("alvision", about["alvision"]),
    ]
