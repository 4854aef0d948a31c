"""The queue for labelling: its images, its tables, and what people answered."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePosixPath

from alvision.core.records import Event
from alvision.labels.consensus import consensus, standing
from alvision.labels.csv_dialect import write_table
from alvision.labels.store import LabelStore
from alvision.watch.inbox import copy_whole
from alvision.watch.records import Records, Row

FOLDER = "queue"
COLUMNS = ["id", "label"]
_WANTED = "queue IS NULL AND (audit OR folder IN ('human', 'new'))"


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
    started = table_name(today)
    of_today = "sheet >= ? AND sheet < ? AND NOT audit"
    room = max(0, batch - records.count(of_today, started, f"{started}~"))
    drawn = records.rows(f"{_WANTED} AND audit AND state != 'moving'")
    doubtful = records.rows(
        f"{_WANTED} AND NOT audit AND state = 'moved'", order="worth DESC, sha256", limit=room
    )
    there = [row for row in drawn + doubtful if (to / row.file).exists()]
    # A drawn image that somebody took away stays in the sample, in the batch of the others.
    gone = [row for row in drawn if row.sheet is None and row not in there]
    if there or gone:
        sheet = _sheet(records, to, started)
        with records.writing():
            for row in there:
                name = f"{row.number:06d}-{PurePosixPath(row.name).name}"
                records.change(row.number, queue=name, sheet=sheet)
            for row in gone:
                records.change(row.number, sheet=sheet)
    finish(records, to)
    return len(there)


def table_name(day: date) -> str:
    """Return what the names of a day's tables begin with."""
    return f"queue-{day.isoformat()}"


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


def waiting(records: Records, to: Path, labels: str | None) -> int:
    """Return how many images of the queue nobody has answered."""
    rows = records.rows("queue IS NOT NULL")
    answers = answers_to(rows, to, labels)
    return sum(row.sha256 not in answers and not lost(row, to) for row in rows)


def lost(row: Row, to: Path) -> bool:
    """Tell whether the file that people were to see is gone."""
    if row.queued:
        return not (to / FOLDER / str(row.queue)).exists()
    return row.sheet is not None and row.queue is None


def answers_to(rows: Sequence[Row], to: Path, labels: str | None) -> dict[str, str | None]:
    """Return the class of each answered image by its content; None where no class was named.

    Args:
        rows: Images of the queue.
        to: The line's folder.
        labels: Store of the answers; None: the one beside the queue.
    """
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
    return [[str(row.queue), ""] for row in records.rows("sheet = ? AND queue IS NOT NULL", sheet)]


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
