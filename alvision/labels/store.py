"""The event log: append-only, numbered without gaps, idempotent by uuid."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sql

from alvision.errors import UserError
from alvision.records import Answer, Answers, Event, EventKind, SampleId

_METADATA = sql.MetaData()
EVENTS = sql.Table(
    "events",
    _METADATA,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("uuid", sql.Text, nullable=False, unique=True),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("id", sql.Text, nullable=False),
    sql.Column("label", sql.Text),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("round", sql.Integer, nullable=False),
    sql.Column("seconds", sql.Float),
    sql.Column("target", sql.Text),
    sql.Column("sha256", sql.Text),
)
_UUIDS_A_QUERY = 500  # older SQLite allows 999 variables

_TROUBLE = {
    "SQLITE_NOTADB": "is not a label store (no SQLite database): name another file in labels.url",
    "SQLITE_CORRUPT": "is damaged: restore it from a copy, or import an export into a new store",
    "SQLITE_BUSY": "stayed locked by another process: end that process, then run again",
    "SQLITE_LOCKED": "stayed locked by another process: end that process, then run again",
    "SQLITE_FULL": "cannot grow, the disk is full: free some space, then run the command again",
    "SQLITE_READONLY": "cannot be written: allow writing to it and its folder, or set labels.url",
    "SQLITE_CANTOPEN": "cannot be opened: check the path and its permissions, or set labels.url",
    "SQLITE_PERM": "cannot be opened: check the path and its permissions, or set labels.url",
    "SQLITE_IOERR": "cannot be read or written (input/output error): check the disk",
}


class LabelStore:
    """Hold the events of one data set in a SQLite file, made at the first append.

    Every call opens a connection of its own, so a store may be used from several threads and
    survives a fork.

    Args:
        url: A file, or a `sqlite:///` URL.
        shared: Several processes use the store at once: write-ahead log instead of a rollback
            journal.
        timeout: Seconds to wait for another process's lock.

    Raises:
        UserError: The file is there but is no label store, or the URL is not one of SQLite.
    """

    def __init__(self, url: str | Path, *, shared: bool = False, timeout: float = 30.0) -> None:
        self.path = _file_of(url)
        self._shared = shared
        self._engine = sql.create_engine(
            sql.URL.create("sqlite", database=str(self.path)),
            poolclass=sql.NullPool,
            connect_args={"timeout": timeout},
        )
        sql.event.listen(self._engine, "connect", self._prepare)
        sql.event.listen(self._engine, "begin", _begin)
        if self.path.exists():
            with self._transaction() as connection:
                self._has_schema(connection)

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store; it may be opened again."""
        self._engine.dispose()

    def append(
        self,
        events: Iterable[Answer],
        *,
        since: int = 0,
        hash_of: Callable[[SampleId], str | None],
    ) -> Answers:
        """Record events in one transaction and return the slice of the log after `since`.

        An event whose uuid is in the log already is left out: the first delivery counts. Numbers
        are given inside the transaction, so they are gapless and in commit order; the number that
        an event brings along is ignored. The slice holds every event after `since`, those of
        other processes too; its pin is its last number, or `since` if it is empty.

        Args:
            events: Answers and imports; an undo is an `Event` with a target.
            since: The previous pin.
            hash_of: Gives the sha256 of an image's bytes for events that bring none.

        Raises:
            UserError: The file cannot be written, or the log ends before `since`.
            ValueError: An event contradicts its kind.
        """
        rows = {event.uuid: _row(event, hash_of) for event in events}
        self._make_folder()
        with self._transaction(write=True) as connection:
            if not self._has_schema(connection):
                _METADATA.create_all(connection, checkfirst=False)
            last = connection.scalar(sql.select(sql.func.max(EVENTS.c.number))) or 0
            if last < since:
                raise UserError(
                    f"{self.path} ends at event {last}, but an earlier round has read up to"
                    f" {since}: it is another or an older store; put the right one back"
                )
            for uuid in _known(connection, list(rows)):
                del rows[uuid]
            if rows:
                new = [dict(row, number=last + 1 + i) for i, row in enumerate(rows.values())]
                connection.execute(sql.insert(EVENTS), new)
            slice_ = _read(connection, since, None)
        return Answers(slice_, slice_[-1].number if slice_ else since)

    def events(self, since: int = 0, upto: int | None = None) -> tuple[Event, ...]:
        """Return the events with `since` < number <= `upto`, in the order of the log."""
        if not self.path.exists():
            return ()
        with self._transaction() as connection:
            if not self._has_schema(connection):
                return ()
            return _read(connection, since, upto)

    def integrity(self) -> list[str]:
        """Let the database check its own file; return what it finds, nothing if it is sound."""
        if not self.path.exists():
            return []
        with self._transaction() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [str(line) for line in found if line != "ok"]

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[sql.Connection]:
        try:
            connection = self._engine.connect().execution_options(alvision_write=write)
            with connection, connection.begin():
                yield connection
        except sql.exc.DBAPIError as error:
            raise self._explained(error.orig) from error
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: BaseException | None) -> UserError:
        name = getattr(error, "sqlite_errorname", "")
        for start, trouble in _TROUBLE.items():
            if name.startswith(start):
                return UserError(f"{self.path} {trouble}")
        return UserError(f"{self.path} cannot be used as label store: {error}")

    def _prepare(self, connection: Any, _: object) -> None:
        try:
            connection.isolation_level = None  # transactions begin in `_begin`, not in the driver
            if self._shared:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise

    def _has_schema(self, connection: sql.Connection) -> bool:
        """Tell whether the events table is there; refuse a database that is not ours."""
        inspector = sql.inspect(connection)
        tables = inspector.get_table_names()
        if not tables:
            return False
        columns = (
            [column["name"] for column in inspector.get_columns("events")]
            if "events" in tables
            else []
        )
        if columns != EVENTS.columns.keys():
            raise UserError(
                f"{self.path} is a database, but no label store of this version:"
                " name another file in labels.url"
            )
        return True

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path.parent} cannot be made ({error.strerror}): set labels.url"
            ) from error


def _file_of(url: str | Path) -> Path:
    if isinstance(url, str) and "://" in url:
        try:
            parsed = sql.make_url(url)
        except sql.exc.ArgumentError as error:
            raise UserError(f"labels.url={url} is no URL: give a file or sqlite:///FILE") from error
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            raise UserError(f"labels.url={url} is not supported: give a file or sqlite:///FILE")
        url = str(parsed.database)
    return Path(url)


def _begin(connection: sql.Connection) -> None:
    # IMMEDIATE takes the write lock before the highest number is read, so two writers never
    # give the same one.
    write = connection.get_execution_options().get("alvision_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _row(event: Answer, hash_of: Callable[[SampleId], str | None]) -> dict[str, Any]:
    target = event.target if isinstance(event, Event) else None
    sha256 = event.sha256 if isinstance(event, Event) else None
    if event.kind not in get_args(EventKind):
        raise ValueError(f"unknown kind of event: {event.kind!r}")
    if (event.kind in ("label", "import")) != bool(event.label):
        raise ValueError(f"a {event.kind} event with label {event.label!r}")
    if (event.kind == "undo") != bool(target):
        raise ValueError(f"a {event.kind} event with target {target!r}")
    return {
        "uuid": event.uuid,
        "kind": event.kind,
        "id": event.id,
        "label": event.label,
        "by": event.by,
        "round": event.round,
        "seconds": event.seconds,
        "target": target,
        "sha256": sha256 or hash_of(event.id),
    }


def _known(connection: sql.Connection, uuids: list[str]) -> Iterator[str]:
    for start in range(0, len(uuids), _UUIDS_A_QUERY):
        some = uuids[start : start + _UUIDS_A_QUERY]
        yield from connection.scalars(
            sql.select(EVENTS.c.uuid).where(EVENTS.c.uuid.in_(some))
        ).all()


def _read(connection: sql.Connection, since: int, upto: int | None) -> tuple[Event, ...]:
    query = sql.select(EVENTS).where(EVENTS.c.number > since).order_by(EVENTS.c.number)
    if upto is not None:
        query = query.where(EVENTS.c.number <= upto)
    return tuple(Event(**row) for row in connection.execute(query).mappings())
