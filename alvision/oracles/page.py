"""The oracle of people at the page: it waits until the page has stored their answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count

from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.core.records import (
    AGAIN,
    Answer,
    AwaitingLabels,
    Locate,
    Query,
    QueryRow,
    SampleId,
)
from alvision.labels.classes import marked
from alvision.labels.consensus import Resolve
from alvision.labels.content import located
from alvision.labels.ledger import Ledger
from alvision.labels.presence import Presence
from alvision.labels.store import LabelStore
from alvision.labels.voting import row_done

# Short beside the time of an answer, long beside the time of a query to the store.
POLL_SECONDS = 0.3
_TURNS_A_LOOK = 30
"""Turns of waiting between two looks at the files, which may lie on a network."""


class RunChanged(UserError):
    """Raise this when the run must be built again: what it was built from has changed."""


class ClassesChanged(RunChanged):
    """Raise this when somebody added a class or changed which of them are defects."""


class ImagesChanged(RunChanged):
    """Raise this when photographs came, went or were replaced."""

    def __init__(self) -> None:
        super().__init__("photographs were added, removed or replaced: run the same command again")


class PageOracle:
    """Wait until every row of a batch is done, or somebody closed it ("train now").

    Args:
        store: Where the page puts the answers.
        resolve: Finds the image of today that an event is about.
        locate: Finds the image of today by the id and the bytes that it had.
        classes: The classes that the run was built with.
        defects: Those of them that are defects.
        votes: People who answer each image.
        changed: Tells whether the file of one of some images is gone or another one by now.
        meanwhile: Returns work to do while people answer, in pieces.
        wait: Wait for people; without, raise AwaitingLabels while they are not done.
        sleep: Sleeps some seconds.
    """

    def __init__(
        self,
        store: LabelStore,
        resolve: Resolve,
        locate: Locate,
        *,
        classes: Collection[str],
        defects: Collection[str] = (),
        votes: int,
        changed: Callable[[Iterable[SampleId]], bool],
        meanwhile: Callable[[Query], Iterator[None]],
        wait: bool,
        sleep: Callable[[float], None] = stopping.wait,
    ) -> None:
        self._ledger = Ledger(store, resolve, tuple(classes))
        self._locate = locate
        self._presence = Presence(store)
        self._classes = frozenset(classes)
        self._defects = frozenset(defects)
        self._votes = votes
        self._changed = changed
        self._meanwhile = meanwhile
        self._wait = wait
        self._sleep = sleep
        self._closed: set[int] = set()

    def __call__(self, query: Query) -> list[Answer]:
        """Return an empty list once the batch is done: the answers are in the store already.

        Nobody is waited for where an image was replaced or removed since it was chosen.

        Raises:
            ClassesChanged: The page has a class, or a defect, that the run was not built with.
            ImagesChanged: Nobody can answer a row any more, because its file is gone or another.
            AwaitingLabels: People are not done, and this oracle does not wait.
        """
        query = located(query, self._locate)
        work = self._meanwhile(query)
        for turn in count():
            waiting = self._waiting(query)
            if not waiting:
                break
            if not self._wait:
                raise AwaitingLabels(
                    f"{len(waiting)} of {len(query.rows)} images wait for an answer on the page:"
                    " start it with `alvision label` and the same settings"
                )
            if turn % _TURNS_A_LOOK == 0 and self._changed(waiting):
                raise ImagesChanged
            if next(work, False) is False:
                self._sleep(POLL_SECONDS)
        return []

    def _waiting(self, query: Query) -> list[SampleId]:
        """Return the images that still wait for an answer."""
        for event in self._ledger.refresh():
            if event.kind == "close":
                self._closed.add(event.round)
        if added := sorted(set(self._ledger.classes.keys) - self._classes):
            raise ClassesChanged(
                f"the page has the class {added[0]!r}, which classes= does not name: name it, or"
                " start `alvision label`, which knows it"
            )
        known = {name: d for name, d in self._ledger.marks.items() if name in self._classes}
        if other := sorted(self._defects ^ set(marked(self._defects, known))):
            raise ClassesChanged(
                f"people have changed whether {other[0]!r} is a defect: say it in defects= too, or"
                " start `alvision label`, which knows it"
            )
        if query.round in self._closed:
            return []
        here = self._presence.here()
        return [row.id for row in query.rows if not self._done(row, here, query.round)]

    def _done(self, row: QueryRow, here: Collection[str], round: int) -> bool:
        return row_done(
            self._ledger.answers(row.id),
            self._ledger.label(row.id),
            votes=self._votes,
            present=here,
            prediction=row.prediction,
            again=round if row.slot in AGAIN else None,
        )
