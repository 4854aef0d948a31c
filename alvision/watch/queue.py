"""The queue for labelling, and what the answers prove about the images that passed."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from alvision.core.records import Event
from alvision.deploy.threshold.binomial import rate_at_most
from alvision.labels.consensus import consensus, standing
from alvision.labels.csv_dialect import write_table
from alvision.labels.store import LabelStore
from alvision.watch.inbox import copy_whole
from alvision.watch.records import Records, Row

FOLDER = "queue"
COLUMNS = ["id", "label"]
CONFIDENCE = 0.95
"""Confidence of the bound on what passed, one-sided; the page says so."""
_WANTED = "queue IS NULL AND (audit OR folder IN ('human', 'new')) AND state = 'moved'"


@dataclass(frozen=True)
class Audit:
    """The proof about the images that passed, from the answers of people.

    Attributes:
        passed: Images that passed.
        drawn: Those of them that were drawn at random for people to check.
        answered: Those of the drawn ones whose batch is answered completely.
        escaped: Those of the answered ones that people did not call good.
        open: Drawn images without an answer.
        at_most: Upper limit of the bad share of what passed, 95 % sure, one-sided.
    """

    passed: int
    drawn: int
    answered: int
    escaped: int
    open: int
    at_most: float


def fill(records: Records, to: Path, *, batch: int, today: date) -> int:
    """Queue images for labelling: the audit, then doubtful and novel ones, most telling first.

    The queue is a folder of its own, `<to>/queue/`, with the images of all days, and one table a
    day, `queue-<day>.csv`, whose labels are blank. A table that somebody has changed is never
    written again; later images go into the next one of that day.

    Args:
        records: The records.
        to: The line's folder.
        batch: Most doubtful and novel images a day; the rest wait for the next day.
        today: The day.

    Returns:
        The number of images added to the queue.
    """
    started = f"queue-{today.isoformat()}"
    of_today = "sheet >= ? AND sheet < ? AND NOT audit"
    room = max(0, batch - records.count(of_today, started, f"{started}~"))
    chosen = records.rows(f"{_WANTED} AND audit") + records.rows(
        f"{_WANTED} AND NOT audit", order="worth DESC, number", limit=room
    )
    chosen = [row for row in chosen if (to / row.file).exists()]
    if chosen:
        sheet = _sheet(records, to, started)
        with records.writing():
            for row in chosen:
                name = f"{row.number:06d}-{PurePosixPath(row.name).name}"
                records.change(row.number, queue=name, sheet=sheet)
    finish(records, to)
    return len(chosen)


def finish(records: Records, to: Path) -> None:
    """Put the files of the queue in their places, and write the tables that list them.

    The records name both first, so after a kill the next call does what is left.
    """
    waiting = records.rows("queue IS NOT NULL AND NOT queued")
    for row in waiting:
        source, target = to / row.file, to / FOLDER / str(row.queue)
        if source.exists() and not target.exists():
            _link(source, target)
    for sheet in sorted({str(row.sheet) for row in waiting}):
        content = _content(records, sheet)
        if _untouched(to / sheet, content):
            write_table(to / sheet, COLUMNS, content, bom=True)
    if waiting:
        with records.writing():
            for row in waiting:
                records.change(row.number, queued=1)


def audited(
    records: Records, to: Path, model: str, *, good: Sequence[str], labels: str | None
) -> Audit:
    """Bound the bad share of the images that passed, from the random audit among them.

    Clopper and Pearson's exact limit (doi:10.1093/biomet/26.4.404). Because the audit is a random
    sample of what passed, the limit assumes nothing about the parts; it holds for the images that
    passed here under this model, and not for tomorrow's. It assumes that people are right, that
    whether a batch is answered completely does not depend on its content (an incomplete batch does
    not count at all), and that it is read on a fixed schedule and not when it looks best. An unsure
    or skipped image counts as bad. The share is one of what passed; an escape rate is a share of
    the defects.

    Args:
        records: The records.
        to: The line's folder.
        model: The model in force; a new model starts without any answers.
        good: Names of the classes of good parts.
        labels: Store of the answers; None: the one beside the queue.
    """
    rows = records.rows("audit AND model = ?", model)
    answers = _answers(rows, to, labels)
    batches: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        batches[row.sheet].append(row)
    finished = [
        row
        for sheet, own in batches.items()
        if sheet is not None and all(row.sha256 in answers for row in own)
        for row in own
    ]
    escaped = sum(answers[row.sha256] not in good for row in finished)
    return Audit(
        passed=records.count("folder = 'pass' AND model = ?", model),
        drawn=len(rows),
        answered=len(finished),
        escaped=escaped,
        open=sum(row.sha256 not in answers for row in rows),
        at_most=rate_at_most(escaped, len(finished), confidence=CONFIDENCE),
    )


def waiting(records: Records, to: Path, labels: str | None) -> int:
    """Return how many images of the queue nobody has answered."""
    rows = records.rows("queue IS NOT NULL")
    answers = _answers(rows, to, labels)
    return sum(row.sha256 not in answers for row in rows)


def _answers(rows: Sequence[Row], to: Path, labels: str | None) -> dict[str, str | None]:
    """Return the class of each answered image by its content; None where no class was named."""
    content = {row.queue: row.sha256 for row in rows if row.queue}

    def resolve(event: Event) -> str | None:
        return event.sha256 or content.get(event.id)

    with LabelStore(labels or _store(to), shared=True) as store:
        events = store.events()
    settled = consensus(events, resolve)
    spoken = standing(events, resolve)
    return {sha256: settled[sha256].label if sha256 in settled else None for sha256 in spoken}


def _store(to: Path) -> Path:
    return to / f"{FOLDER}.alvision" / "labels.db"


def _sheet(records: Records, to: Path, started: str) -> str:
    """Return the table for new images of today: the last one, unless somebody has changed it."""
    number = 1
    while True:
        name = f"{started}.csv" if number == 1 else f"{started}-{number}.csv"
        there = records.count("sheet = ?", name) > 0
        if not there and not (to / name).exists():
            return name
        if there and _untouched(to / name, _content(records, name)):
            return name
        number += 1


def _content(records: Records, sheet: str) -> list[list[str]]:
    return [[str(row.queue), ""] for row in records.rows("sheet = ?", sheet)]


def _untouched(path: Path, content: Sequence[list[str]]) -> bool:
    """Tell whether a table is as it was written, or does not exist yet."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
    except FileNotFoundError:
        return True
    except (PermissionError, ValueError, csv.Error):
        return False
    return head == COLUMNS and rows == content[: len(rows)]


def _link(source: Path, target: Path) -> None:
    """Put an image into the queue too: as a hard link if the disk can, else as a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        copy_whole(source, target)
