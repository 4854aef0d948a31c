"""The status page of a watched line: what passed, what the audit proves, whether it has changed."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from alvision.data.images import UnreadableImage, load
from alvision.deploy.bundle.statistics import PROBABILITY, SIDE, jpeg
from alvision.deploy.bundle.verdict import FEWEST_HELD_OUT
from alvision.deploy.threshold.binomial import percent_up
from alvision.reporting.html import count, render
from alvision.watch import drift
from alvision.watch.records import Row, statistics_of

if TYPE_CHECKING:
    from alvision.watch.audit import Audit
    from alvision.watch.status import Status

SHOWN_STATISTICS, SHOWN_IMAGES = 4, 8
FOLDERS = ("pass", "human", "reject", "new", "broken")
BINS = 24


def page(status: Status) -> str:
    """Return the page, one file that loads nothing."""
    enough = len(status.reference.values) >= drift.FEWEST
    return render(
        "watch.html",
        status=status,
        at=f"{status.at:%Y-%m-%d %H:%M:%S}",
        line=status.to.name,
        total=count(sum(status.counts.values()), "image"),
        tiles=[(name, status.counts.get(name, 0)) for name in FOLDERS],
        bound=bound(status.audit),
        enough=enough,
        reference=count(len(status.reference.values), "held-out image"),
        fewest=drift.FEWEST,
        few_for_novelty=None if status.tells_novelty else FEWEST_HELD_OUT,
        table=_table(status) if enough and status.drift_tests else [],
        changes=_changes(status) if enough else [],
        tested=_local(status.drift_tests[0].at) if status.drift_tests else "",
        weeks=sorted({test.week for test in status.drift_tests if test.alarmed}, reverse=True),
        newest=[_picture(status, row) for row in status.newest[:SHOWN_IMAGES]],
        held_out=_held_out(status, _spread([*status.reference.pictures])),
        change=changed(status),
    )


def bound(audit: Audit) -> str:
    """Return what the audit proves, and about which images.

    >>> from alvision.watch.audit import Audit
    >>> print(bound(Audit(4000, drawn=200, open=40, covered=3200, share=0.05, answered=160,
    ...     escaped=1, unknown=2)))
    Of 100 images that passed at most 6.91 are bad, 95 % sure however often you look: people \
checked 160 drawn at random, 1 of them bad; 2 more have no answer and count as bad. This speaks \
of 3,200 of the 4,000 images that passed; nothing is proven about the others.
    """
    if not audit.answered + audit.unknown:
        return (
            "Nothing is proven yet about what passed: people have not answered the whole random "
            "audit of any batch."
        )
    unknown = f"; {audit.unknown:,} more have no answer and count as bad" if audit.unknown else ""
    others = (
        f" This speaks of {audit.covered:,} of the {audit.passed:,} images that passed; nothing is "
        "proven about the others."
        if audit.covered < audit.passed
        else ""
    )
    return (
        f"Of 100 images that passed at most {percent_up(audit.at_most)} are bad, 95 % sure however "
        f"often you look: people checked {audit.answered:,} drawn at random, "
        f"{audit.escaped:,} of them bad{unknown}.{others}"
    )


def changed(status: Status) -> str:
    """Return what changed, in a line; empty if nothing did."""
    if not status.alarmed:
        return ""
    changes = []
    for name in status.alarmed[:SHOWN_STATISTICS]:
        _, _, higher = _split(status, status.statistics.index(name))
        changes.append(f"{name} {'higher' if higher else 'lower'}")
    more = len(status.alarmed) - len(changes)
    return ", ".join(changes) + (f" and {more} more" if more > 0 else "")


def _table(status: Status) -> list[dict[str, Any]]:
    test, stream = status.drift_tests[0], _stream(status)
    rows = []
    for column in np.argsort(test.chances, kind="stable").tolist():
        name, chance = status.statistics[column], test.chances[column]
        before, now = status.reference.values[:, column], stream[:, column]
        rows.append(
            {
                "name": name,
                "before": _range(name, before),
                "now": _range(name, now),
                "chance": f"{chance:.1e}" if chance < 1 else "1",
                "alarmed": name in test.alarmed,
            }
        )
    return rows


def _range(name: str, values: np.ndarray) -> str:
    low, middle, high = (_shown(name, value) for value in np.quantile(values, [0.1, 0.5, 0.9]))
    return f"{middle} ({low} to {high})"


def _shown(name: str, value: float) -> str:
    """Write a statistic for a reader; probabilities are stored as logarithms."""
    return f"{np.exp(value) if name.startswith(PROBABILITY) else value:.3g}"


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"


def _changes(status: Status) -> list[dict[str, Any]]:
    """Return what changed most, with the images that show it best."""
    changes = []
    for name in status.alarmed[:SHOWN_STATISTICS]:
        column = status.statistics.index(name)
        before, now, higher = _split(status, column)
        newest = status.newest[: max(drift.WINDOWS)]
        changes.append(
            {
                "name": name,
                "higher": higher,
                "now": [_picture(status, newest[row]) for row in now[:SHOWN_IMAGES].tolist()],
                "before": _held_out(status, before.tolist()),
                "chart": _chart(
                    name, status.reference.values[:, column], _stream(status)[:, column]
                ),
            }
        )
    return changes


def _split(status: Status, column: int) -> tuple[np.ndarray, np.ndarray, bool]:
    return drift.typical(status.reference.values[:, column], _stream(status)[:, column])


def _stream(status: Status) -> np.ndarray:
    """Return the statistics of the images that show a sudden change, the latest first."""
    return statistics_of(status.newest[: min(drift.WINDOWS)])


def _chart(name: str, before: np.ndarray, now: np.ndarray) -> dict[str, str]:
    """Return two histograms of a statistic as outlines, 300 wide and 60 high."""
    edges = np.linspace(min(before.min(), now.min()), max(before.max(), now.max()) + 1e-9, BINS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (before, now)]
    highest = max(float(share.max()) for share in shares)
    lines = []
    for share in shares:
        steps = [(i, 60 - 58 * value / highest) for i, value in enumerate(share)]
        points = [(300 * (i + side) / BINS, y) for i, y in steps for side in (0, 1)]
        lines.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
    return {
        "before": lines[0],
        "now": lines[1],
        "low": _shown(name, edges[0]),
        "high": _shown(name, edges[-1]),
    }


def _picture(status: Status, row: Row) -> dict[str, Any]:
    card = {"name": row.name, "folder": row.folder, "class": row.class_, "address": None}
    try:
        pixels = load(status.to / row.file, status.spec.scaled(SIDE))
    except UnreadableImage:  # somebody took it away
        return card
    return card | {"address": _address(jpeg(pixels))}


def _spread(rows: list[int]) -> list[int]:
    """Return rows spread from beginning to end, because neighbours come from one lot."""
    return [rows[i * len(rows) // SHOWN_IMAGES] for i in range(SHOWN_IMAGES)] if rows else []


def _held_out(status: Status, rows: Iterable[int]) -> list[str]:
    kept = status.reference.pictures
    found = [kept[row] for row in rows if row in kept]
    return [_address(picture) for picture in found[:SHOWN_IMAGES]]


def _address(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
