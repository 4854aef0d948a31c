"""The requests for many images at once: those that look like one class, or like one image."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from alvision.core.records import AGAIN, QueryRow, SampleId
from alvision.page.assignment import Assignment
from alvision.page.labelling import MOST_HELD, LabellingApi
from alvision.page.requests import Refused
from alvision.page.responses import Grid, GridClass, Item
from alvision.page.state import PageState
from alvision.run_folder.overview import FILE, Overview, read_overview

MOST_IN_GRID = 48
"""Images in one grid: a screen of them, which a person sees without turning a page."""


@dataclass(frozen=True)
class InHand:
    """What the page of a person holds when it asks for a grid.

    Attributes:
        by: Who.
        held: Addresses of the images in hand; they may come in the grid.
        without: Addresses of those that were an exception in another grid: they may not.
    """

    by: str
    held: Sequence[str]
    without: Sequence[str]


class GridApi:
    """Answer the requests for grids.

    A grid never holds an image that is asked blind: neither a held-out one nor a gold one. Nor
    does it hold one that people disagree on, because that one is worth a look of its own.

    Args:
        state: The state.
        assignment: Chooses who gets which image.
        labelling: Describes an image to the page.
    """

    def __init__(self, state: PageState, assignment: Assignment, labelling: LabellingApi) -> None:
        self._state = state
        self._assignment = assignment
        self._labelling = labelling
        self._reading = threading.Lock()
        self._read: tuple[object, Overview | None] = (None, None)

    def of_class(self, hands: InHand, label: str | None, n: int) -> Grid:
        """Give a person up to n images that the model takes for a class; None: the fullest one."""
        state = self._state
        if state.context.blind:
            raise Refused("page.blind hides what the model thinks, so there is no grid of a class")
        overview, n = self._overview(), min(n, MOST_IN_GRID)
        with state.lock:
            state.refresh()
            state.mark_present(hands.by)
            open_, alone = state.ledger.classes.open, self._alone(hands)

            def found(name: str) -> Iterator[QueryRow]:
                return self._fit(hands.by, self._expected(name, overview), alone)

            ready = {name: sum(1 for _ in islice(found(name), n)) for name in open_}
            if label is None:
                label = max(open_, key=lambda name: ready[name], default=None)
            if label is not None and label not in open_:
                raise Refused(f"{label!r} is not a class")
            taken = self._take(hands, found(label or ""), n)
        items = self._items(taken)
        classes = [GridClass(name=name, images=count) for name, count in ready.items()]
        return Grid(label=label, items=items, classes=classes, message=self._why_none(items))

    def like(self, hands: InHand, address: str, n: int) -> Grid:
        """Give a person an image and up to n - 1 unlabelled ones that look most like it."""
        state = self._state
        overview, n = self._overview(), min(n, MOST_IN_GRID)
        id = state.images.id(address)
        if id is None:
            raise Refused("this image is not in the data", 410)
        near = overview.nearest_first(id) if overview else []
        with state.lock:
            state.refresh()
            state.mark_present(hands.by)
            if self._is_blind(self._assignment.row(id)):
                raise Refused("this image is asked blind, so it is answered by itself")
            asked = (self._assignment.row(one) for one in (id, *near))
            rows = self._fit(hands.by, asked, self._alone(hands))
            taken = self._take(hands, rows, n) if near else []
        items = self._items(taken)
        return Grid(label=None, items=items, classes=[], message=self._why_none(items))

    def _overview(self) -> Overview | None:
        """Return the overview by the ids of today; it may be large, so read it without the lock."""
        state = self._state
        with self._reading:
            try:
                stamp = (state.context.root / FILE).stat().st_mtime_ns
            except OSError:
                return None
            basis = (stamp, state.locate)
            if self._read[0] != basis:
                found = read_overview(state.context.root)
                self._read = basis, found.located(state.locate) if found else None
            return self._read[1]

    def _expected(self, label: str, overview: Overview | None) -> Iterator[QueryRow]:
        """Yield the images that the model takes for a class: the batch, the ranking, the rest."""
        run = self._state.run
        for row in (*run.batch, *run.ranking):
            if row.prediction == label:
                yield row
        named = {row.id for row in (*run.batch, *run.ranking)}
        for id in overview.surest_first(label) if overview else ():
            if id not in named:
                yield QueryRow(id, 0, slot="grid", prediction=label)

    def _take(self, hands: InHand, rows: Iterable[QueryRow], n: int) -> list[QueryRow]:
        held = self._known((*hands.held, *hands.without)[:MOST_HELD])
        return self._assignment.take_these(hands.by, rows, n, held)

    def _fit(
        self, by: str, rows: Iterable[QueryRow], alone: Collection[SampleId]
    ) -> Iterator[QueryRow]:
        """Leave out what must be asked by itself, and what this person need not answer."""
        assignment = self._assignment
        batch = {row.id for row in self._state.run.batch}
        for row in rows:
            if self._is_blind(row) or row.slot in AGAIN or row.id in alone:
                continue
            waits = row.id in batch and assignment.is_open(by, row)
            if waits or (row.id not in batch and assignment.is_unanswered(row.id)):
                yield row

    def _alone(self, hands: InHand) -> set[SampleId]:
        """Return the images that are worth a look of their own, or are before others."""
        state = self._state
        others = {id: who - {hands.by} for id, who in state.leases.held().items()}
        elsewhere = {id for id, who in others.items() if len(who) >= state.context.votes}
        return {*self._known(hands.without), *state.counters.disputed, *elsewhere}

    def _is_blind(self, row: QueryRow) -> bool:
        return row.id in self._state.context.held_out or row.slot in ("audit", "gold")

    def _known(self, held: Sequence[str]) -> list[SampleId]:
        return [id for id in map(self._state.images.id, held) if id]

    def _items(self, rows: Sequence[QueryRow]) -> list[Item]:
        state = self._state
        looks = {row.id: look for row in rows if (look := state.images.look(row.id))}
        state.note_looks(looks)
        with state.lock:
            return [self._labelling.item(row, looks[row.id]) for row in rows if row.id in looks]

    def _why_none(self, items: Sequence[Item]) -> str | None:
        if items:
            return None
        if self._state.run.round < 1:
            return "the model has not learned yet: answer the first images one by one"
        return "there is no other image now: the next model looks over all of them again"
