"""Copies of a label store: the database, and a readable log that can rebuild it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import sqlalchemy as sql

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.core.rounds import write_atomically
from alvision.labels.exchange.csv_file import export_labels, restore
from alvision.labels.schema import EVENTS
from alvision.labels.store import LabelStore

DATABASE, LOG = "labels.db", "labels.csv"


def back_up(store: LabelStore, folder: Path, *, beside: Sequence[Path] = ()) -> int:
    """Write a folder with a copy of the database, the log as a table, and other files.

    All are of one moment, and the folder is complete or not there. The copy is a SQLite file, even
    of a store on PostgreSQL, and can be used in its place (labels.url=).

    Args:
        store: The store, which may be in use.
        folder: A folder that does not exist yet.
        beside: More files to copy, where they exist.

    Returns:
        The number of events.

    Raises:
        UserError: The folder exists, or cannot be written.
    """
    if folder.exists():
        raise UserError(f"{folder} exists already: name another folder in to=")
    events = store.events()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as inside:
            half = Path(inside) / "half"
            half.mkdir()
            with LabelStore(half / DATABASE) as copy:
                _write(copy, events)
                if copy.events() != events or copy.integrity():
                    raise UserError(f"{folder}: the copy differs from the store: check the disk")
                export_labels(copy, half / LOG)
            for file in beside:
                if file.exists():
                    shutil.copyfile(file, half / file.name)
            half.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
    return len(events)


def rebuild(store: LabelStore, folder: Path, *, beside: Sequence[Path] = ()) -> int:
    """Rebuild an empty store from a backup's log.

    Args:
        store: The store.
        folder: What `back_up` wrote.
        beside: Files to put back, where the backup has them.

    Returns:
        The number of events.

    Raises:
        UserError: The store holds events, or the log is incomplete.
    """
    if not store.last():
        # First, because a restored label is no longer held out once its part is forgotten.
        for kept, file in ((folder / file.name, file) for file in beside):
            if kept.exists():
                write_atomically(file, partial(shutil.copyfile, kept))
    return restore(store, folder / LOG)


def is_backup(folder: Path) -> bool:
    """Tell whether a folder is one that `back_up` wrote."""
    return (folder / LOG).is_file() and (folder / DATABASE).is_file()


def _write(copy: LabelStore, events: Sequence[Event]) -> None:
    """Write events under their own numbers: a gap in the log is evidence that must not be lost."""
    with copy.database.writing() as connection:
        if events:
            connection.execute(sql.insert(EVENTS), [vars(event) for event in events])
