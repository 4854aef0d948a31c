"""Leases: an image that is on somebody's screen is given to nobody else for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

import sqlalchemy as sql

from alvision.core.records import SampleId
from alvision.labels.schema import EVENTS, LEASES
from alvision.labels.store import LabelStore


class Leases:
    """Give images out to people, a few at a time and for a limited time.

    Nothing is assigned beforehand, so an absent person holds nothing up: a lease that is not
    renewed ends by itself. They bind by courtesy only: an answer without a lease counts as well.

    Args:
        store: The store whose images are meant.
        seconds: How long a lease lasts.
        clock: Gives the seconds since 1970.
    """

    def __init__(
        self, store: LabelStore, *, seconds: float = 300.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = store.database
        self._seconds = seconds
        self._clock = clock

    def take(
        self, by: str, wanted: Iterable[tuple[SampleId, int]], *, n: int, pin: int | None = None
    ) -> list[SampleId]:
        """Take up to n images, in one transaction; then the person holds these and no others.

        What they hold already comes first, so that a page that is loaded again shows the same.

        Args:
            by: Who takes them.
            wanted: Images in the order of their worth, without those that the person has spoken
                on, each with the number of answers that it still lacks: as many people may hold
                it at once.
            n: How many.
            pin: The event up to which `wanted` was computed: an image that was spoken on since
                then is passed over, for it may lack no answer any more.

        Returns:
            The images: those held already, then new ones, both in the order wanted.
        """
        now = self._clock()
        with self._database.writing(durable=False) as connection:
            connection.execute(sql.delete(LEASES).where(LEASES.c.until <= now))
            rows = connection.execute(sql.select(LEASES.c.id, LEASES.c.by)).all()
            mine = {id for id, holder in rows if holder == by}
            others = Counter(id for id, holder in rows if holder != by)
            spoken: set[SampleId] = set()
            if pin is not None:
                newer = sql.select(EVENTS.c.id).where(EVENTS.c.number > pin)
                spoken = set(connection.scalars(newer))
            free = dict.fromkeys(
                id for id, lacking in wanted if id not in spoken and others[id] < lacking
            )
            taken = [*(id for id in free if id in mine), *(id for id in free if id not in mine)][:n]
            connection.execute(sql.delete(LEASES).where(LEASES.c.by == by))
            if taken:
                until = now + self._seconds
                connection.execute(
                    sql.insert(LEASES), [{"id": id, "by": by, "until": until} for id in taken]
                )
        return taken

    def renew(self, by: str) -> None:
        """Prolong all that a person holds."""
        now = self._clock()
        with self._database.writing(durable=False) as connection:
            connection.execute(
                sql.update(LEASES)
                .where(LEASES.c.by == by, LEASES.c.until > now)
                .values(until=now + self._seconds)
            )

    def give_back(self, by: str, id: SampleId | None = None) -> None:
        """Give back one image, or all that a person holds."""
        which = LEASES.c.by == by
        if id is not None:
            which &= LEASES.c.id == id
        with self._database.writing(durable=False) as connection:
            connection.execute(sql.delete(LEASES).where(which))

    def held(self) -> dict[SampleId, set[str]]:
        """Return who holds which image now."""
        with self._database.reading() as connection:
            if connection is None:
                return {}
            query = sql.select(LEASES.c.id, LEASES.c.by).where(LEASES.c.until > self._clock())
            held: dict[SampleId, set[str]] = {}
            for id, by in connection.execute(query):
                held.setdefault(id, set()).add(by)
            return held
