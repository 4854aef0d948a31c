"""Labels as CSV: the whole log out and in again, or a plain table of labels from elsewhere."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from alvision.errors import UserError
from alvision.labels.classes import class_list
from alvision.labels.consensus import Resolve, standing
from alvision.labels.content import resolver
from alvision.labels.schema import contradiction
from alvision.labels.store import LabelStore
from alvision.labels.tables import Row, Table, read_table, write_table
from alvision.labels.words import allowed, read_word
from alvision.records import NOT_CLASSES, Event, EventKind, SampleId, answer_uuid

COLUMNS = (
    "event", "id", "kind", "label", "by", "round", "seconds",
    "uuid", "target", "sha256", "note", "book",
)  # fmt: skip
_SHOWN = 3


@dataclass(frozen=True)
class ImportCounts:
    """What an import did: events added, rows that the store knew, rows without a label."""

    added: int
    known: int
    blank: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.known} known already, {self.blank} without a label"


def export_labels(store: LabelStore, path: Path) -> int:
    """Write the log in long form, one row an event: a vote, an undo, an import.

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
) -> ImportCounts:
    """Bring a CSV table into the store, all of it or nothing.

    An exported table restores its events. Any other table needs the columns `label` and `id` (or
    `path`); each row becomes an import by `by` of a class, `skip` or `unsure`, and an empty label
    is passed over. A row that says what stands already adds nothing, so importing twice is
    harmless.

    Args:
        store: The store to add to.
        path: The table.
        ids: The images of today.
        hashes: Their sha256.
        classes: The class names.
        by: Who is said to have labelled a plain table.

    Raises:
        UserError: Names the rows with unknown images, unknown classes or contradictions.
    """
    table, log, images = read_table(path), store.events(), frozenset(ids)
    if {"uuid", "kind"} <= set(table.columns):
        events = _exported(table, log, classes)
        contents = set(hashes.values())
        about_images = [e for e in events if e.id]
        _refuse_unknown(
            path, [e.id for e in about_images if e.id not in images and e.sha256 not in contents]
        )
        counts = ImportCounts(len(events), len(table.rows) - len(events), 0)
    else:
        words, blank = _words(table, images, classes)
        events = _imports(words, log, resolver(images, hashes), by)
        counts = ImportCounts(len(events), len(words) - len(events), blank)
    store.append(events, hash_of=hashes.get)
    return counts


def images_named(path: Path, ids: Collection[SampleId]) -> list[SampleId]:
    """Return the images of today that a table names.

    Raises:
        UserError: The table cannot be read, or names others.
    """
    table, images = read_table(path), frozenset(ids)
    column = "path" if "path" in table.columns and "id" not in table.columns else "id"
    table.require(column)
    found = {row.cells[column]: _id_of(row.cells[column], images) for row in table.rows}
    _refuse_unknown(path, [cell for cell, id in found.items() if id is None])
    return sorted({id for id in found.values() if id is not None})


def _content(event: Event) -> dict[str, Any]:
    return {column: getattr(event, column) for column in COLUMNS[1:]}


def _exported(table: Table, log: Sequence[Event], classes: Sequence[str]) -> list[Event]:
    """Return the events of an exported table that the log does not hold."""
    table.require(*COLUMNS[1:])
    kept = {event.uuid: event for event in log}
    rows = [(row, _restored(table.path, row)) for row in table.rows]
    names = class_list(classes, [*log, *(event for _, event in rows)]).keys
    events = []
    for row, event in rows:
        known = (*names, *NOT_CLASSES) if event.kind == "import" else names
        if event.label is not None and event.label not in known:
            raise UserError(
                f"{table.path}, row {row.number}: {event.label!r} is no class ({', '.join(names)}):"
                " add it to classes"
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
    cells = {column: row.cells[column] or None for column in COLUMNS[1:]}
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
        raise UserError(f"{path}, row {row.number}: round, seconds or book is no number") from error
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
    )


def _words(
    table: Table, ids: frozenset[SampleId], classes: Sequence[str]
) -> tuple[dict[SampleId, str], int]:
    """Read what a plain table says of each image, and how many rows have no label."""
    column = "path" if "path" in table.columns and "id" not in table.columns else "id"
    table.require(column, "label")
    words: dict[SampleId, str] = {}
    unknown, blank = [], 0
    for row in table.rows:
        where, cell = f"{table.path}, row {row.number}", row.cells["label"]
        if not cell.strip():
            blank += 1
            continue
        word = read_word(cell, classes)
        if word is None:
            raise UserError(
                f"{where}: {cell!r} is not one of {allowed(classes)}:"
                " correct it or add it to classes; nothing was imported"
            )
        id = _id_of(row.cells[column], ids)
        if id is None:
            unknown.append(row.cells[column])
        elif words.setdefault(id, word[1] or word[0]) != (word[1] or word[0]):
            raise UserError(
                f"{where}: {id} has another label in an earlier row: keep one; nothing was imported"
            )
    _refuse_unknown(table.path, unknown)
    return words, blank


def _imports(
    words: Mapping[SampleId, str], log: Sequence[Event], resolve: Resolve, by: str
) -> list[Event]:
    """Return the imports that `by` must add to the log for these words to stand."""
    stand = {
        id: event.label
        for id, said in standing(log, resolve).items()
        for event in said
        if event.kind == "import" and event.by == by
    }
    # The count of earlier imports makes the name of a word that comes back (ok, worn, ok) new.
    earlier = Counter(event.id for event in log if event.kind == "import" and event.by == by)
    return [
        Event(
            id=id,
            kind="import",
            label=word,
            by=by,
            round=0,
            uuid=answer_uuid("import", earlier[id], id, by, "import", word),
        )
        for id, word in words.items()
        if stand.get(id) != word
    ]


def _id_of(cell: str, ids: frozenset[SampleId]) -> SampleId | None:
    tidy = unicodedata.normalize("NFC", cell.strip().replace("\\", "/")).removeprefix("./")
    return next((id for id in (cell, tidy) if id in ids), None)


def _refuse_unknown(path: Path, unknown: Sequence[str]) -> None:
    if unknown:
        first = ", ".join(map(repr, unknown[:_SHOWN]))
        raise UserError(
            f"{path}: {len(unknown)} rows name images that data.root does not hold"
            f" (first: {first}); nothing was imported: correct or remove these rows"
        )
