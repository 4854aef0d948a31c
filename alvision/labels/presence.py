"""Who is labelling now, and which images are on whose screen.

Neither is an event: nothing of it matters tomorrow, so the rows end by themselves. How old a row is
follows from when this process saw it change, by a clock that nobody sets: a machine whose time is
set back or forward neither keeps a person for ever nor sends all of them away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sql

from alvision.core.records import SampleId
from alvision.labels.schema import EVENTS, LEASES, PRESENCE
from alvision.labels.store import LabelStore


class _Look(NamedTuple):
    """What was seen of a row: the time in it, the steady moment of it, and that of the look."""

    written: float
    moment: float
    looked: float


class _Expiring:
    """Keep rows of a table of the store that count for some seconds.

    Args:
        store: The store.
        seconds: How long a row counts.
        clock: Gives the seconds since 1970, which machines share; it may be set at any time.
        steady: Gives seconds that only grow, of this process alone.
    """

    def __init__(
        self,
        store: LabelStore,
        *,
        seconds: float,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = store.database
        self._seconds = seconds
        self._clock = clock
        self._steady = steady
        self._watched: dict[Hashable, _Look] = {}

    def _counts(self, row: Hashable, written: float) -> bool:
        """Tell whether a row still counts, given the time that is written in it.

        At the first look the shared clock says how old it is; a row of the future is new. A row
        that has changed since the last look is no older than that look.
        """
        now, before = self._steady(), self._watched.get(row)
        since = before.moment if before and before.written == written else None
        if since is None:
            age = max(0.0, self._clock() - written)
            since = now - (min(age, now - before.looked) if before else age)
        self._watched[row] = _Look(written, since, now)
        return now - since < self._seconds

    def _forget_all_but(self, rows: Collection[Hashable]) -> None:
        self._watched = {row: look for row, look in self._watched.items() if row in rows}

    def _write(self, *statements: sql.Executable) -> None:
        # Not durable: a power cut may take the last moments, and with them nobody's answer.
        with self._database.writing(durable=False) as connection:
            for statement in statements:
                connection.execute(statement)

    def _read(self, query: sql.Select) -> Sequence[sql.Row]:
        with self._database.reading() as connection:
            return [] if connection is None else connection.execute(query).all()


class Presence(_Expiring):
    """Remember when each person was last seen."""

    # A page asks every 4 s while it is visible; a tablet that is put down counts as gone soon.
    def __init__(self, store: LabelStore, *, seconds: float = 60.0, **clocks: Any) -> None:
        super().__init__(store, seconds=seconds, **clocks)

    def seen(self, by: str) -> None:
        """Record that a person is present now."""
        self._write(
            sql.delete(PRESENCE).where(PRESENCE.c.by == by),
            sql.insert(PRESENCE).values(by=by, seen=self._clock()),
        )

    def left(self, by: str) -> None:
        """Record that a person went away."""
        self._write(sql.delete(PRESENCE).where(PRESENCE.c.by == by))

    def here(self) -> set[str]:
        """Return the names of those who are present."""
        rows = self._read(sql.select(PRESENCE.c.by, PRESENCE.c.seen))
        self._forget_all_but({by for by, _ in rows})
        return {by for by, seen in rows if self._counts(by, seen)}


class Leases(_Expiring):
    """Give images out to people, a few at a time and for a limited time.

    Nothing is assigned in advance, so an absent person holds nothing up: a lease that is not
    renewed ends by itself. A lease is a courtesy: an answer without one counts as well.
    """

    def __init__(self, store: LabelStore, *, seconds: float = 300.0, **clocks: Any) -> None:
        super().__init__(store, seconds=seconds, **clocks)

    def take(
        self, by: str, wanted: Iterable[tuple[SampleId, int]], *, n: int, pin: int | None = None
    ) -> list[SampleId]:
        """Take up to n images, in one transaction; then the person holds these and no others.

        What they hold already comes first, so that a page that is loaded again shows the same.

        Args:
            by: Who takes them.
            wanted: Images in the order of their worth, without those that the person has
                answered, each with the number of answers that it still needs: as many people may
                hold it at once.
            n: How many.
            pin: The event up to which `wanted` was computed: an image that was answered since then
                is passed over, because it may need no more answers.

        Returns:
            The images: those held already, then new ones, both in the order wanted.
        """
        with self._database.writing(durable=False) as connection:
            found = connection.execute(sql.select(LEASES)).all()
            rows = self._standing(found)
            for id, holder in {(row.id, row.by) for row in found} - set(rows):
                ended = (LEASES.c.id == id) & (LEASES.c.by == holder)
                connection.execute(sql.delete(LEASES).where(ended))
            mine = {id for id, holder in rows if holder == by}
            others = Counter(id for id, holder in rows if holder != by)
            answered: set[SampleId] = set()
            if pin is not None:
                newer = sql.select(EVENTS.c.id).where(EVENTS.c.number > pin)
                answered = set(connection.scalars(newer))
            free = dict.fromkeys(
                id for id, missing in wanted if id not in answered and others[id] < missing
            )
            taken = [*(id for id in free if id in mine), *(id for id in free if id not in mine)][:n]
            connection.execute(sql.delete(LEASES).where(LEASES.c.by == by))
            if taken:
                until = self._clock() + self._seconds
                connection.execute(
                    sql.insert(LEASES), [{"id": id, "by": by, "until": until} for id in taken]
                )
        return taken

    def renew(self, by: str) -> None:
        """Prolong all leases of a person that have not ended."""
        held = [id for id, holder in self._standing(self._read(sql.select(LEASES))) if holder == by]
        which = (LEASES.c.by == by) & LEASES.c.id.in_(held)
        if held:
            self._write(sql.update(LEASES).where(which).values(until=self._clock() + self._seconds))

    def give_back(self, by: str, id: SampleId | None = None) -> None:
        """Give back one image, or all that a person holds."""
        which = LEASES.c.by == by
        if id is not None:
            which &= LEASES.c.id == id
        self._write(sql.delete(LEASES).where(which))

    def held(self) -> dict[SampleId, set[str]]:
        """Return who holds which image now."""
        held: dict[SampleId, set[str]] = {}
        for id, by in self._standing(self._read(sql.select(LEASES))):
            held.setdefault(id, set()).add(by)
        return held

    def _standing(self, rows: Sequence[sql.Row]) -> list[tuple[SampleId, str]]:
        """Return image and person of the leases that have not ended."""
        self._forget_all_but({(row.id, row.by) for row in rows})
        return [
            (row.id, row.by)
            for row in rows
            if self._counts((row.id, row.by), row.until - self._seconds)
        ]
