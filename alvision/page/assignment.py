"""Which images a person gets next: the batch, then spare work, and something always."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain

from alvision.core.records import QueryRow, SampleId
from alvision.labels.voting import lacking, row_done
from alvision.page.secret import keyed
from alvision.page.state import Board

AGAIN = ("relabel", "gold")
"""Slots whose images were answered before."""


class Desk:
    """Choose from memory: the cost of a request depends on how many images it asks for.

    First come the rows of the batch; while the model trains, the rest of the ranking; and where
    both are used up, or no round has asked yet, images at random. An expert is asked before all
    that for what others could not tell or disagree on.

    Args:
        board: The state; every method is called with its lock held.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        # A draw of its own, so that no strategy's stream is touched.
        self._order = sorted(board.setting.paths)
        random.Random(board.setting.secret).shuffle(self._order)
        self._start = 0
        self._brought = len(board.ledger.settled)
        self._place = {id: place for place, id in enumerate(self._order)}
        self._mixed: tuple[int, list[QueryRow]] = (-1, [])

    def take(self, by: str, n: int, held: list[SampleId]) -> list[QueryRow]:
        """Give a person up to n more images, and renew those in their hands.

        Args:
            by: Who.
            n: How many new ones, at most.
            held: Images that the page has already.
        """
        board = self._board
        again = {row.id for row in board.watch.ranking if row.slot in AGAIN}
        mine = [
            id for id in held if not (self._lately(id, by) if id in again else self._spoken(id, by))
        ]
        rows: dict[SampleId, QueryRow] = {}
        spare = n + 16 * (1 + len(board.here()))  # others may hold that many
        for row in self._wanted(by):
            if row.id not in rows and row.id not in mine and board.pictures.size(row.id):
                rows[row.id] = row
                if len(rows) >= spare:
                    break
        wanted = [(id, len(board.here()) + 1) for id in mine]
        wanted += [(id, max(1, self._lacking(row))) for id, row in rows.items()]
        pin = board.ledger.pin
        taken = board.leases.take(by, wanted, n=len(mine) + n, pin=pin)
        return [rows[id] for id in taken if id in rows][:n]

    def progress(self) -> dict[str, int] | None:
        """Return round, rows done and rows of the batch; None before the first round asks."""
        watch = self._board.watch
        if watch.round < 0:
            return None
        done = sum(map(self._done, watch.batch))
        return {"round": watch.round, "done": done, "size": len(watch.batch)}

    def row(self, id: SampleId) -> QueryRow:
        """Return what is known of why an image is asked for."""
        watch = self._board.watch
        for row in chain(watch.batch, watch.ranking):
            if row.id == id:
                return row
        return _drawn(id)

    def _wanted(self, by: str) -> Iterator[QueryRow]:
        """Yield what a person may be asked, the most useful first."""
        board, watch = self._board, self._board.watch
        if by in board.setting.experts:
            for id in list(board.tally.disputed):
                if not self._spoken(id, by):
                    yield QueryRow(id, 0, slot="expert", reason="others were unsure or disagree")
        late = []  # what an expert who is here is to see first
        for row in self._batch():
            if self._spoken(row.id, by) or self._done(row):
                continue
            if row.id in board.tally.disputed and self._expert_here(by):
                late.append(row)
            else:
                yield row
        yield from late
        for row in watch.ranking:
            if not self._lately(row.id, by) if row.slot in AGAIN else not self._taken(row.id):
                yield row
        yield from self._at_random()

    def _expert_here(self, by: str) -> bool:
        experts = frozenset(self._board.setting.experts)
        return by not in experts and not experts.isdisjoint(self._board.here())

    def _batch(self) -> list[QueryRow]:
        """Return the batch with its audit rows strewn in, in one order for ever."""
        watch = self._board.watch
        if self._mixed[0] != watch.round:
            secret, count = self._board.setting.secret, max(1, len(watch.batch))

            def place(row: QueryRow) -> float:
                if row.slot != "audit":
                    return float(row.rank)
                return int(keyed(secret, "place", row.id, 4), 16) / 2**32 * count

            self._mixed = (watch.round, sorted(watch.batch, key=place))
        return self._mixed[1]

    def _at_random(self) -> Iterator[QueryRow]:
        board = self._board
        for id in board.changed:  # an undo brings an image back
            if id not in board.ledger.words:
                self._start = min(self._start, self._place.get(id, self._start))
        board.changed.clear()
        while self._start < len(self._order) and self._taken(self._order[self._start]):
            self._start += 1
        # Who brings labels along needs no random start: only the audit is worth it then.
        if board.watch.round < 1 and self._brought >= board.setting.initial:
            yield from self._drawn(lambda id: id in board.setting.held_out)
        yield from self._drawn(lambda id: True)

    def _drawn(self, wanted: Callable[[SampleId], bool]) -> Iterator[QueryRow]:
        for place in range(self._start, len(self._order)):
            id = self._order[place]
            if wanted(id) and not self._taken(id):
                yield _drawn(id)

    def _done(self, row: QueryRow) -> bool:
        ledger, setting = self._board.ledger, self._board.setting
        return row_done(
            ledger.words.get(row.id, ()),
            ledger.settled.get(row.id),
            votes=setting.votes,
            present=self._board.here(),
            prediction=row.prediction,
        )

    def _lacking(self, row: QueryRow) -> int:
        ledger = self._board.ledger
        return lacking(
            ledger.words.get(row.id, ()),
            ledger.settled.get(row.id),
            votes=self._board.setting.votes,
            prediction=row.prediction,
        )

    def _taken(self, id: SampleId) -> bool:
        ledger = self._board.ledger
        return id in ledger.words or id in ledger.settled

    def _lately(self, id: SampleId, by: str) -> bool:
        """Tell whether a person has spoken on an image since the round began."""
        words = self._board.ledger.words.get(id, ())
        return any(event.by == by and event.round >= self._board.watch.round for event in words)

    def _spoken(self, id: SampleId, by: str) -> bool:
        words = self._board.ledger.words.get(id, ())
        return any(event.by == by and event.kind != "import" for event in words)


def _drawn(id: SampleId) -> QueryRow:
    return QueryRow(id, 0, slot="random", reason="drawn at random")
