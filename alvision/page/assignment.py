"""Which images a person gets next: the batch, then spare work, then images at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice

from alvision.core.records import AGAIN, QueryRow, SampleId
from alvision.labels.voting import row_done, votes_missing
from alvision.page.responses import BatchProgress, Counts
from alvision.page.secret import keyed
from alvision.page.state import PageState

# As many as a page holds in hand, and two: so many rows may be leased by each person present.
_HELD_AT_MOST = 16


_SAMPLES = 8
"""Images on the first page: a row of them."""


class Assignment:
    """Choose the images that a person gets, from memory.

    First come the rows of the batch; while the model trains, the rest of the ranking; and where
    both are used up, or no round has asked yet, images at random. An expert is asked before all
    that for what others could not tell or disagree on. The cost of a request depends on how many
    images it asks for, not on the size of the data set.

    Args:
        state: The state; every method is called with its lock held.
    """

    def __init__(self, state: PageState) -> None:
        self._state = state
        self._order: list[SampleId] = []
        self._place: dict[SampleId, int] = {}
        self._first_free = 0
        """All images before this place of the order are answered."""
        self._listed: object = None
        self._labels_at_start = len(state.ledger.settled)

    def take(self, by: str, n: int, held: list[SampleId]) -> list[QueryRow]:
        """Give a person up to n more images, and renew the leases of those in their hands.

        Args:
            by: Who.
            n: How many new ones, at most.
            held: Images that the page has already.
        """
        state = self._state
        self._keep_order()
        self._move_first_free(state.take_changes())
        rows_of_round = chain(state.run.batch, state.run.ranking)
        again = {row.id for row in rows_of_round if row.slot in AGAIN}
        # Exact copies are one image here: one row, one lease.
        image = state.ledger.image
        mine = [
            image(id)
            for id in held
            if not (self._answered_this_round(id, by) if id in again else self._answered_by(id, by))
        ]
        rows: dict[SampleId, QueryRow] = {}
        spare = n + _HELD_AT_MOST * (1 + len(state.present()))
        for row in self._candidates(by):
            id = image(row.id)
            if id not in rows and id not in mine and state.images.size(row.id):
                rows[id] = row
                if len(rows) >= spare:
                    break
        wanted = [(id, len(state.present()) + 1) for id in mine]
        wanted += [(id, max(1, self._votes_missing(row))) for id, row in rows.items()]
        pin = state.ledger.pin
        taken = state.leases.take(by, wanted, n=len(mine) + n, pin=pin)
        return [rows[id] for id in taken if id in rows][:n]

    def take_these(
        self, by: str, rows: Iterable[QueryRow], n: int, held: list[SampleId]
    ) -> list[QueryRow]:
        """Give a person the first n of some images that nobody else holds, in their order.

        Args:
            by: Who.
            rows: The images that the person may be asked, the best first.
            n: How many, at most.
            held: Images that the page has already and goes on holding; they may be among `rows`.
        """
        state, image = self._state, self._state.ledger.image
        wanted: dict[SampleId, QueryRow] = {}
        spare = n + n * len(state.present())
        for row in rows:
            if state.images.size(row.id):
                wanted.setdefault(image(row.id), row)
            if len(wanted) >= spare:
                break
        hands = dict.fromkeys(map(image, held))
        missing = {id: max(1, self._votes_missing(row)) for id, row in wanted.items()}
        missing |= {id: len(state.present()) + 1 for id in hands if id not in wanted}
        pin = state.ledger.pin
        taken = set(state.leases.take(by, missing.items(), n=n + len(hands), pin=pin))
        given = [row for id, row in wanted.items() if id in taken][:n]
        shown = {*map(image, (row.id for row in given)), *hands}
        if taken - shown:  # what is in nobody's sight goes back
            kept = [(id, count) for id, count in missing.items() if id in shown]
            state.leases.take(by, kept, n=len(kept))
        return given

    def is_open(self, by: str, row: QueryRow) -> bool:
        """Tell whether a row of the batch still waits for this person's answer."""
        answered = self._answered_this_round if row.slot in AGAIN else self._answered_by
        return not (answered(row.id, by) or self._done(row))

    def samples(self) -> list[str]:
        """Return the addresses of some images, for a person who has not seen any."""
        self._keep_order()
        fit = (id for id in self._order if self._state.images.size(id))
        return [self._state.images.address(id) for id in islice(fit, _SAMPLES)]

    def waits_for_votes(self, id: SampleId) -> bool:
        """Tell whether an image still needs the answer of one more person."""
        return self._votes_missing(self.row(id)) > 0

    def is_unanswered(self, id: SampleId) -> bool:
        """Tell whether nobody has spoken on an image."""
        return not self._answered(id)

    def counts(self, by: str) -> Counts:
        """Return how much is done: the one place that counts for a person's page."""
        state, counts = self._state, self._state.counters
        return Counts(
            images=state.images_count,
            answered=counts.answered,
            labels=counts.labels,
            held_out=counts.held_out,
            mine=counts.mine[by],
            seconds=round(counts.seconds, 1),
            conflicts=len(counts.conflicts()),
            batch=self._batch(),
        )

    def _batch(self) -> BatchProgress | None:
        run = self._state.run
        if run.round < 0:
            return None
        done = sum(map(self._done, run.batch))
        return BatchProgress(round=run.round, done=done, size=len(run.batch))

    def row(self, id: SampleId) -> QueryRow:
        """Return why an image is asked for."""
        run = self._state.run
        for row in chain(run.batch, run.ranking):
            if row.id == id:
                return row
        return _random_row(id)

    def _candidates(self, by: str) -> Iterator[QueryRow]:
        """Yield what a person may be asked, the most useful first; repetitions included."""
        state, run = self._state, self._state.run
        if by in state.context.experts:
            for id in list(state.counters.disputed):
                if not self._answered_by(id, by):
                    yield QueryRow(id, 0, slot="expert", reason="others were unsure or disagree")
        for_experts = []  # while an expert is present, everybody else gets these last
        for row in _spread(run.batch, state.context.secret):
            if not self.is_open(by, row):
                continue
            if row.id in state.counters.disputed and self._expert_present(by):
                for_experts.append(row)
            else:
                yield row
        yield from for_experts
        for row in run.ranking:
            if row.slot in AGAIN:
                if not self._answered_this_round(row.id, by):
                    yield row
            elif not self._answered(row.id):
                yield row
        yield from self._at_random()

    def _expert_present(self, by: str) -> bool:
        experts = frozenset(self._state.context.experts)
        return by not in experts and not experts.isdisjoint(self._state.present())

    def _at_random(self) -> Iterator[QueryRow]:
        state = self._state
        # Whoever brings enough labels needs no random start; until the model is there, only
        # answers on held-out images are worth a person's time.
        if state.run.round < 1 and self._labels_at_start >= state.context.initial:
            yield from self._unanswered(lambda id: id in state.context.held_out)
        yield from self._unanswered(lambda id: True)

    def _unanswered(self, wanted: Callable[[SampleId], bool]) -> Iterator[QueryRow]:
        for place in range(self._first_free, len(self._order)):
            id = self._order[place]
            if wanted(id) and not self._answered(id):
                yield _random_row(id)

    def _keep_order(self) -> None:
        """Put the images into a random order, whenever they were listed anew.

        It is an order of its own, so that no strategy's random stream is touched; and addresses
        are a keyed hash, so it stays the same after a restart and around photographs that come.
        """
        paths = self._state.context.paths
        if self._listed is not paths:
            self._listed, self._first_free = paths, 0
            self._order = sorted(paths, key=self._state.images.address)
            self._place = {id: place for place, id in enumerate(self._order)}

    def _move_first_free(self, changes: set[SampleId]) -> None:
        """Skip the answered beginning of the random order, so that no request walks over it."""
        for id in changes:  # an undo may have brought back an image before the place
            if id not in self._state.ledger.standing:
                self._first_free = min(self._first_free, self._place.get(id, self._first_free))
        while self._first_free < len(self._order) and self._answered(self._order[self._first_free]):
            self._first_free += 1

    def _done(self, row: QueryRow) -> bool:
        ledger, context = self._state.ledger, self._state.context
        return row_done(
            ledger.answers(row.id),
            ledger.label(row.id),
            votes=context.votes,
            present=self._state.present(),
            prediction=row.prediction,
            again=self._state.run.round if row.slot in AGAIN else None,
        )

    def _votes_missing(self, row: QueryRow) -> int:
        ledger = self._state.ledger
        return votes_missing(
            ledger.answers(row.id),
            ledger.label(row.id),
            votes=self._state.context.votes,
            prediction=row.prediction,
        )

    def _answered(self, id: SampleId) -> bool:
        ledger = self._state.ledger
        return bool(ledger.answers(id)) or ledger.label(id) is not None

    def _answered_this_round(self, id: SampleId, by: str) -> bool:
        answers = self._state.ledger.answers(id)
        return any(event.by == by and event.round >= self._state.run.round for event in answers)

    def _answered_by(self, id: SampleId, by: str) -> bool:
        answers = self._state.ledger.answers(id)
        return any(event.by == by and event.kind != "import" for event in answers)


@lru_cache(maxsize=2)  # a batch is asked for in every request until the next one comes
def _spread(batch: tuple[QueryRow, ...], secret: bytes) -> tuple[QueryRow, ...]:
    """Return a batch with its audit and repeated rows spread over it; a restart repeats the order.

    At the end of the batch people would recognise them, and "train now" would leave them out.
    """

    def place(row: QueryRow) -> float:
        if row.slot not in ("audit", *AGAIN):
            return float(row.rank)
        return int(keyed(secret, "place", row.id, 4), 16) / 2**32 * max(1, len(batch))

    return tuple(sorted(batch, key=place))


def _random_row(id: SampleId) -> QueryRow:
    return QueryRow(id, 0, slot="random", reason="drawn at random")
