"""Who is labelling right now. No events: nothing of it must be known tomorrow."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sql

from alvision.labels.schema import PRESENCE
from alvision.labels.store import LabelStore


class Presence:
    """Remember when each person was last seen.

    Args:
        store: The store whose people are meant.
        seconds: Whoever was not seen for so long is gone.
        clock: Gives the seconds since 1970.
    """

    def __init__(
        self, store: LabelStore, *, seconds: float = 60.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = store.database
        self._seconds = seconds
        self._clock = clock

    def seen(self, by: str) -> None:
        """Record that a person is here now."""
        with self._database.writing(durable=False) as connection:
            connection.execute(sql.delete(PRESENCE).where(PRESENCE.c.by == by))
            connection.execute(sql.insert(PRESENCE).values(by=by, seen=self._clock()))

    def left(self, by: str) -> None:
        """Record that a person went away."""
        with self._database.writing(durable=False) as connection:
            connection.execute(sql.delete(PRESENCE).where(PRESENCE.c.by == by))

    def here(self) -> set[str]:
        """Return the names of those who are here."""
        with self._database.reading() as connection:
            if connection is None:
                return set()
            since = self._clock() - self._seconds
            return set(connection.scalars(sql.select(PRESENCE.c.by).where(PRESENCE.c.seen > since)))
