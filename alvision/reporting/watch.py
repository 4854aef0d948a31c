"""The status page of a watched line: what passed, what it proves, and whether the line changed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alvision.data.images import ImageSpec, UnreadableImage, load
from alvision.deploy.bundle.statistics import LIGHT, PROBABILITY, SIDE, jpeg
from alvision.reporting.html import count, render
from alvision.watch import drift
from alvision.watch.records import Row, facts_of

if TYPE_CHECKING:
    from alvision.deploy.bundle.statistics import ReferenceStatistics
    from alvision.watch.queue import Audit
    from alvision.watch.records import DriftRecord

SHOWN_FACTS, SHOWN_IMAGES = 4, 8
FOLDERS = ("pass", "human", "reject", "new", "broken")
BINS = 24


@dataclass(frozen=True)
class Status:
    """What the page tells.

    Attributes:
        name: Of the bundle.
        to: The line's folder.
        counts: Images in each folder, of all time.
        audit: What people's answers prove.
        share: Share of the passing images that is drawn for them.
        promise: What the threshold promises, if there is one.
        spec: How a file becomes a picture.
        facts: What each fact is, in words.
        usual: What is usual in the bundle.
        newest: The newest images of the model in force, the latest first.
        looks: Its latest looks for drift, the latest first.
        broken: The latest broken files.
        waiting: Images in the queue without a label.
        label: The command that opens the queue.
        at: When this is.
    """

    name: str
    to: Path
    counts: Mapping[str, int]
    audit: Audit
    share: float
    promise: str | None
    spec: ImageSpec
    facts: Sequence[str]
    usual: ReferenceStatistics
    newest: Sequence[Row]
    looks: Sequence[DriftRecord]
    broken: Sequence[Row]
    waiting: int
    label: str
    at: datetime

    @property
    def alarmed(self) -> list[str]:
        """Return what changed by the latest look: what a person can see first."""
        found = self.looks[0].alarmed if self.looks else []
        return sorted(found, key=lambda fact: (fact not in LIGHT, fact.startswith("features")))


def page(status: Status) -> str:
    """Return the page, one file that loads nothing."""
    enough = len(status.usual.facts) >= drift.FEWEST
    return render(
        "watch.html",
        status=status,
        at=f"{status.at:%Y-%m-%d %H:%M:%S}",
        line=status.to.name,
        total=count(sum(status.counts.values()), "image"),
        tiles=[(name, status.counts.get(name, 0)) for name in FOLDERS],
        bound=bound(status.audit),
        enough=enough,
        reference=count(len(status.usual.facts), "held-out image"),
        fewest=drift.FEWEST,
        table=_table(status) if enough and status.looks else [],
        changes=_changes(status) if enough else [],
        looked=_local(status.looks[0].at) if status.looks else "",
        weeks=sorted({look.week for look in status.looks if look.alarmed}, reverse=True),
        newest=[_picture(status, row) for row in status.newest[:SHOWN_IMAGES]],
        usual=_usual(status, _spread([*status.usual.pictures])),
        change=changed(status),
    )


def bound(audit: Audit) -> str:
    """Say what the audit proves.

    >>> from alvision.watch.queue import Audit
    >>> print(bound(Audit(4000, drawn=200, answered=160, escaped=1, open=40, at_most=0.0293)))
    Of 100 images that passed at most 2.93 are bad, 95 % sure: 160 drawn at random were looked at, \
1 of them bad.
    """
    if not audit.answered:
        return (
            "Nothing is proven yet about what passed: nobody has answered a batch with its random "
            "audit to the end."
        )
    return (
        f"Of 100 images that passed at most {100 * audit.at_most:.3g} are bad, 95 % sure: "
        f"{audit.answered:,} drawn at random were looked at, {audit.escaped:,} of them bad."
    )


def changed(status: Status) -> str:
    """Say what changed, in a line; empty if nothing did."""
    if not status.alarmed:
        return ""
    told = []
    for fact in status.alarmed[:SHOWN_FACTS]:
        _, _, higher = _split(status, status.facts.index(fact))
        told.append(f"{fact} {'higher' if higher else 'lower'}")
    more = len(status.alarmed) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _table(status: Status) -> list[dict[str, Any]]:
    look = status.looks[0]
    rows = []
    for fact in np.argsort(look.chances, kind="stable").tolist():
        name = status.facts[fact]
        ours, now = status.usual.facts[:, fact], _stream(status)[:, fact]
        rows.append(
            {
                "fact": name,
                "usual": _range(name, ours),
                "now": _range(name, now),
                "chance": f"{look.chances[fact]:.1e}" if look.chances[fact] < 1 else "1",
                "alarmed": name in look.alarmed,
            }
        )
    return rows


def _range(name: str, values: np.ndarray) -> str:
    low, middle, high = (_shown(name, value) for value in np.quantile(values, [0.1, 0.5, 0.9]))
    return f"{middle} ({low} to {high})"


def _shown(name: str, value: float) -> str:
    """Write a fact for a reader; probabilities are kept as logarithms."""
    return f"{np.exp(value) if name.startswith(PROBABILITY) else value:.3g}"


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"


def _changes(status: Status) -> list[dict[str, Any]]:
    """Return what changed most, with the images that show it best."""
    told = []
    for name in status.alarmed[:SHOWN_FACTS]:
        fact = status.facts.index(name)
        before, now, higher = _split(status, fact)
        newest = status.newest[: max(drift.WINDOWS)]
        told.append(
            {
                "fact": name,
                "higher": higher,
                "now": [_picture(status, newest[row]) for row in now[:SHOWN_IMAGES].tolist()],
                "before": _usual(status, before.tolist()),
                "chart": _chart(name, status.usual.facts[:, fact], _stream(status)[:, fact]),
            }
        )
    return told


def _split(status: Status, fact: int) -> tuple[np.ndarray, np.ndarray, bool]:
    return drift.typical(status.usual.facts[:, fact], _stream(status)[:, fact])


def _stream(status: Status) -> np.ndarray:
    """Return the facts of the images that a sudden change would be seen on, the latest first."""
    return facts_of(status.newest[: min(drift.WINDOWS)])


def _chart(name: str, before: np.ndarray, now: np.ndarray) -> dict[str, str]:
    """Return two outlines, shares of the images in equal steps of a fact, 300 wide and 60 high."""
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
    told = {"name": row.name, "folder": row.folder, "class": row.class_, "address": None}
    try:
        pixels = load(status.to / row.file, replace(status.spec, size=SIDE))
    except UnreadableImage:  # somebody took it away
        return told
    return told | {"address": _address(jpeg(pixels))}


def _spread(rows: list[int]) -> list[int]:
    """Return some rows from beginning to end: neighbours come from one lot."""
    return [rows[i * len(rows) // SHOWN_IMAGES] for i in range(SHOWN_IMAGES)] if rows else []


def _usual(status: Status, rows: Iterable[int]) -> list[str]:
    kept = status.usual.pictures
    found = [kept[row] for row in rows if row in kept]
    return [_address(picture) for picture in found[:SHOWN_IMAGES]]


def _address(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
