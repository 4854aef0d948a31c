"""The event log: append-only, numbered without gaps, idempotent by uuid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import sqlalchemy as sql

from alvision.core.errors import UserError
from alvision.core.records import Answer, Answers, Event, SampleId
from alvision.labels.database import Database, columns
from alvision.labels.schema import EVENTS, row_of

_UUIDS_A_QUERY = 500  # older SQLite allows 999 variables


class LabelStore:
    """Hold the events of one data set, in a SQLite file made at the first append or in PostgreSQL.

    Args:
        url: A file, a `sqlite:///` URL, or a `postgresql+psycopg://` URL.
        shared: Several processes use a file at once: write-ahead log instead of a rollback
            journal.
        timeout: Seconds to wait for another process's lock.

    Attributes:
        database: The database; leases and presence are tables of it too.

    Raises:
        UserError: The file is not a label store, or the URL is of another kind.
    """

    def __init__(self, url: str | Path, *, shared: bool = False, timeout: float = 30.0) -> None:
        self.database = Database(url, shared=shared, timeout=timeout)

    @property
    def path(self) -> Path | None:
        """Return the file; None with PostgreSQL."""
        return self.database.path

    def __enter__(self) -> LabelStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store; it may be opened again."""
        self.database.close()

    def append(
        self,
        events: Iterable[Answer],
        *,
        since: int = 0,
        hash_of: Callable[[SampleId], str | None],
    ) -> Answers:
        """Record events in one transaction and return the slice of the log after `since`.

        An event whose uuid is already in the log is left out: the first delivery counts. Numbers
        are given inside the transaction, so they have no gaps and are in commit order; an event's
        own number is ignored. The slice holds every event after `since`, including those of other
        processes; its pin is its last number, or `since` if it is empty.

        Args:
            events: Answers; everything else is an `Event` of its kind.
            since: The previous pin.
            hash_of: Returns the sha256 of an image's bytes, for events that have none.

        Raises:
            UserError: The store cannot be written, or the log ends before `since`.
            ValueError: An event contradicts its kind.
        """
        rows = {event.uuid: row_of(event, hash_of) for event in events}
        with self.database.writing() as connection:
            last = _last(connection)
            if last < since:
                raise UserError(
                    f"{self.database} ends at event {last}, but an earlier round has read up to"
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
        with self.database.reading() as connection:
            return () if connection is None else _read(connection, since, upto)

    def last(self) -> int:
        """Return the number of the last event, 0 if there is none."""
        with self.database.reading() as connection:
            return 0 if connection is None else _last(connection)

    def integrity(self) -> list[str]:
        """Let the database check its own file, and return what it finds; nothing if it is sound.

        PostgreSQL's server looks after its own files, so nothing is found there.
        """
        with self.database.reading() as connection:
            if connection is None or self.database.dialect != "sqlite":
                return []
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [str(line) for line in found if line != "ok"]


def _read(connection: sql.Connection, since: int, upto: int | None) -> tuple[Event, ...]:
    query = sql.select(*columns(connection, EVENTS)).where(EVENTS.c.number > since)
    if upto is not None:
        query = query.where(EVENTS.c.number <= upto)
    rows = connection.execute(query.order_by(EVENTS.c.number)).mappings()
    return tuple(Event(**row) for row in rows)


def _last(connection: sql.Connection) -> int:
    return connection.scalar(sql.select(sql.func.max(EVENTS.c.number))) or 0


def _known(connection: sql.Connection, uuids: list[str]) -> Iterator[str]:
    for start in range(0, len(uuids), _UUIDS_A_QUERY):
        some = uuids[start : start + _UUIDS_A_QUERY]
        yield from connection.scalars(
            sql.select(EVENTS.c.uuid).where(EVENTS.c.uuid.in_(some))
        ).all()
