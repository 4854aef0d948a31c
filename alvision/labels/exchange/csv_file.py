"""Labels as CSV: the whole log out and in again, or a plain table of labels from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from alvision.core.errors import UserError
from alvision.core.label_sets import ADVICE, several
from alvision.core.records import NOT_CLASSES, Event, EventKind, SampleId
from alvision.core.utc import normalised
from alvision.labels.answers import allowed_answers, parse_answer
from alvision.labels.classes import class_list
from alvision.labels.consensus import Resolve, consensus, counted, merges, standing
from alvision.labels.csv_dialect import Row, Table, read_table, write_table
from alvision.labels.exchange.import_answers import (
    ImportCounts,
    ImportedAnswer,
    id_of,
    import_answers,
    refuse_unknown,
)
from alvision.labels.schema import contradiction
from alvision.labels.store import LabelStore

COLUMNS = (
    "event", "id", "kind", "label", "by", "round", "seconds",
    "uuid", "target", "sha256", "note", "book", "time",
)  # fmt: skip
_REQUIRED = COLUMNS[:-1]
"""Exports of earlier versions have no `time`."""


def export_labels(store: LabelStore, path: Path) -> int:
    """Write the log, one row an event: a vote, an undo, an import.

    Importing the file restores every event, in the same order.

    Returns:
        The number of events.
    """
    events = store.events()
    write_table(path, COLUMNS, [(event.number, *_content(event).values()) for event in events])
    return len(events)


def import_labels(
    store: LabelStore,
    path: Path,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    classes: Sequence[str],
    by: str = "import",
    asked: Mapping[SampleId, int] | None = None,
) -> ImportCounts:
    """Import a CSV table into the store, all of it or nothing.

    An exported table restores its events. Any other table needs the columns `label` and `id` (or
    `path`), and may have `by` and `time` (ISO 8601, UTC where it names no zone); each row becomes
    an import of a class, `skip` or `unsure`, and rows with an empty label are skipped. A row whose
    answer counts already adds nothing, so importing twice is harmless.

    Args:
        store: The store to add to.
        path: The table.
        ids: The images of today.
        hashes: Their sha256.
        classes: The class names.
        by: The name for rows of a plain table that have none.
        asked: The round that asks for an image, see `import_answers`.

    Raises:
        UserError: Names the rows with unknown images, unknown classes or contradictions.
    """
    table, images = read_table(path), frozenset(ids)
    if not {"uuid", "kind"} <= set(table.columns):
        answers, blank = _answers(table, images, classes, by)
        return import_answers(store, answers, ids=ids, hashes=hashes, blank=blank, asked=asked)
    events = _exported(table, store.events(), classes)
    contents = set(hashes.values())
    about_images = [event for event in events if event.id]
    refuse_unknown(
        path, [e.id for e in about_images if e.id not in images and e.sha256 not in contents]
    )
    store.append(events, hash_of=hashes.get)
    return ImportCounts(len(events), len(table.rows) - len(events), 0)


def restore(store: LabelStore, path: Path) -> int:
    """Rebuild a log from its export in an empty store, whatever images there are now.

    Returns:
        The number of events.

    Raises:
        UserError: The store is not empty, or the table is not a complete export.
    """
    if store.last():
        raise UserError(
            f"{store.database} holds events already: restore into a new store (labels.url=)"
        )
    table = read_table(path)
    table.require(*_REQUIRED)
    events = [_restored(path, row) for row in table.rows]
    if [row.cells["event"] for row in table.rows] != [str(n + 1) for n in range(len(events))]:
        raise UserError(f"{path} lacks events, or they are out of order: restore it as exported")
    store.append(events, hash_of=lambda id: None)
    return len(events)


def export_votes(store: LabelStore, path: Path, resolve: Resolve | None = None) -> int:
    """Write the answers that count, one row a vote, with the consensus beside it.

    The columns are `id,label,by,consensus,time`; a label is a class, `skip` or `unsure`, and merged
    classes are one. Importing the file elsewhere gives the same consensus, except for disputes that
    somebody settled above the votes.

    Returns:
        The number of votes.
    """
    events = store.events()
    settled, into = consensus(events, resolve), merges(events)
    rows = [
        (
            id,
            into.get(event.label or "", event.label) or event.kind,
            event.by,
            settled[id].label if id in settled else None,
            event.time,
        )
        for id, answers in sorted(standing(events, resolve).items())
        for event in counted(answers)
    ]
    write_table(path, ("id", "label", "by", "consensus", "time"), rows)
    return len(rows)


def images_named(path: Path, ids: Collection[SampleId]) -> list[SampleId]:
    """Return the images of today that a table names.

    Raises:
        UserError: The table cannot be read, or names others.
    """
    table, images = read_table(path), frozenset(ids)
    column = "path" if "path" in table.columns and "id" not in table.columns else "id"
    table.require(column)
    found = {row.cells[column]: id_of(row.cells[column], images) for row in table.rows}
    refuse_unknown(path, [cell for cell, id in found.items() if id is None])
    return sorted({id for id in found.values() if id is not None})


def _content(event: Event) -> dict[str, Any]:
    return {column: getattr(event, column) for column in COLUMNS[1:]}


def _exported(table: Table, log: Sequence[Event], classes: Sequence[str]) -> list[Event]:
    """Return the events of an exported table that the log does not hold."""
    table.require(*_REQUIRED[1:])
    kept = {event.uuid: event for event in log}
    rows = [(row, _restored(table.path, row)) for row in table.rows]
    names = class_list(classes, [*log, *(event for _, event in rows)]).keys
    events = []
    for row, event in rows:
        known = (*names, *NOT_CLASSES) if event.kind == "import" else names
        if event.label is not None and event.label not in known:
            raise UserError(
                f"{table.path}, row {row.number}: {event.label!r} is not a class"
                f" ({', '.join(names)}): add it to classes"
            )
        if event.uuid not in kept:
            kept[event.uuid] = event
            events.append(event)
        elif _content(kept[event.uuid]) != _content(event):
            raise UserError(
                f"{table.path}, row {row.number}: differs from the stored event with its uuid; an"
                " exported table cannot be edited, so import one with only the columns id and label"
            )
    return events


def _restored(path: Path, row: Row) -> Event:
    cells = {column: row.cells.get(column) or None for column in COLUMNS[1:]}
    kind, label, target = cells["kind"], cells["label"], cells["target"]
    wrong = contradiction(kind or "", label, target)
    if wrong or not cells["uuid"]:
        raise UserError(
            f"{path}, row {row.number}: {wrong or 'uuid is empty'}: restore the row as exported"
        )
    try:
        round = int(cells["round"] or "")
        seconds = None if cells["seconds"] is None else float(cells["seconds"])
        book = None if cells["book"] is None else int(cells["book"])
    except ValueError as error:
        raise UserError(
            f"{path}, row {row.number}: round, seconds or book is not a number"
        ) from error
    return Event(
        id=row.cells["id"],
        kind=cast(EventKind, kind),
        label=label,
        by=row.cells["by"],
        round=round,
        uuid=row.cells["uuid"],
        seconds=seconds,
        target=target,
        sha256=cells["sha256"],
        note=cells["note"],
        book=book,
        time=_time(path, row),
    )


def _time(path: Path, row: Row) -> str | None:
    text = row.cells.get("time", "").strip()
    try:
        return normalised(text) if text else None
    except ValueError:
        raise UserError(
            f"{path}, row {row.number}: time {text!r} is not when the answer was given, like"
            " 2026-03-02T09:30:00Z: correct it, or rename the column; nothing was imported"
        ) from None


def _answers(
    table: Table, ids: frozenset[SampleId], classes: Sequence[str], by: str
) -> tuple[dict[tuple[SampleId, str], ImportedAnswer], int]:
    """Return the answers of a plain table, and how many of its rows have no label."""
    column = "path" if "path" in table.columns and "id" not in table.columns else "id"
    table.require(column, "label")
    answers: dict[tuple[SampleId, str], ImportedAnswer] = {}
    unknown, blank = [], 0
    for row in table.rows:
        where, cell = f"{table.path}, row {row.number}", row.cells["label"]
        if not cell.strip():
            blank += 1
            continue
        answer = parse_answer(cell, classes)
        if answer is None and (found := several(cell.strip(), classes)):
            raise UserError(
                f"{where}: {cell!r} names several classes ({', '.join(found)}); {ADVICE}; nothing"
                " was imported"
            )
        if answer is None:
            raise UserError(
                f"{where}: {cell!r} is not one of {allowed_answers(classes)}:"
                " correct it or add it to classes; nothing was imported"
            )
        label, who = answer[1] or answer[0], row.cells.get("by") or by
        id = id_of(row.cells[column], ids)
        if id is None:
            unknown.append(row.cells[column])
            continue
        said = ImportedAnswer(label, _time(table.path, row))
        if answers.setdefault((id, who), said).label != label:
            raise UserError(
                f"{where}: {id} has another label in an earlier row: keep one; nothing was imported"
            )
    refuse_unknown(table.path, unknown)
    return answers, blank
