"""The log and what follows from it, in memory, kept up to date at the cost of what is new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alvision.core.records import Event, SampleId
from alvision.labels.boxes import Box, boxes
from alvision.labels.classes import ClassList, class_list, marks
from alvision.labels.consensus import (
    Resolve,
    Settled,
    merges,
    settle,
    settlements,
    standing,
    taken_back,
)
from alvision.labels.content import image_of
from alvision.labels.guidelines import Book, book
from alvision.labels.store import LabelStore

_CLASSES, _NOWHERE = "\x00classes", "\x00nowhere"  # groups of events that are about no image


class Ledger:
    """Follow a store: answers, consensus, flags, classes and label book at one event number.

    It holds what `standing`, `consensus`, `class_list` and `book` return for the whole log up to
    `pin`, without reading the whole log again.

    Args:
        store: The store to follow.
        resolve: Tells which image of today an event is about.
        classes: The configured classes.

    Attributes:
        pin: Number of the last event that is in it.
        standing: The answers that count on each image, see `consensus.standing`.
        settled: The class of each image that has one, see `consensus.consensus`.
        flags: The flags that were not undone, by image.
        boxes: The boxes that count, by image.
        classes: The classes after all class events.
        marks: Which classes people made a defect, or none, see `classes.marks`.
        book: The label book after all its entries.
        by_uuid: Every event, by its uuid.
    """

    def __init__(self, store: LabelStore, resolve: Resolve, classes: Sequence[str]) -> None:
        self._store = store
        self._resolve = resolve
        self._configured = tuple(classes)
        self._groups: dict[SampleId, list[Event]] = {}
        self._group_of: dict[str, SampleId] = {}  # by uuid
        self._orphans: dict[str, list[Event]] = {}  # undos whose target is not there yet
        self._into: dict[str, str] = {}
        self.pin = 0
        self.standing: dict[SampleId, tuple[Event, ...]] = {}
        self.settled: dict[SampleId, Settled] = {}
        self.flags: dict[SampleId, tuple[Event, ...]] = {}
        self.boxes: dict[SampleId, tuple[Box, ...]] = {}
        self.classes: ClassList = class_list(self._configured, ())
        self.marks: dict[str, bool] = {}
        self.book = Book()
        self.by_uuid: dict[str, Event] = {}

    def image(self, id: SampleId) -> SampleId:
        """Return the image that stands for all exact copies of this one in the views."""
        return image_of(id, self._resolve)

    def answers(self, id: SampleId) -> tuple[Event, ...]:
        """Return the answers that count on an image or on a copy of it."""
        return self.standing.get(self.image(id), ())

    def label(self, id: SampleId) -> Settled | None:
        """Return the class of an image and of its copies, if it has one."""
        return self.settled.get(self.image(id))

    def refresh(self) -> tuple[Event, ...]:
        """Read what is new in the store, and return it."""
        new = self._store.events(since=self.pin)
        if new:
            self.take(new)
        return new

    def take(self, new: Iterable[Event]) -> None:
        """Take in the next events of the log."""
        touched: set[SampleId] = set()
        for event in new:
            self.by_uuid[event.uuid] = event
            self.pin = event.number
            self._file(event, touched)
        if _CLASSES in touched:
            about = sorted(self._groups[_CLASSES], key=lambda event: event.number)
            self.classes, self.book = class_list(self._configured, about), book(about)
            self.marks = marks(about)
            if self._into != merges(about):
                self._into = merges(about)
                touched |= self._groups.keys()
        for id in touched - {_CLASSES, _NOWHERE}:
            self._settle(id)

    def _file(self, event: Event, touched: set[SampleId]) -> None:
        """Put an event, and the undos that waited for it, into the group that it changes.

        An event can change only its own image, or only the classes; so only that group is
        computed again.
        """
        if event.kind == "undo":
            group = self._group_of.get(event.target or "")
            if group is None:
                self._orphans.setdefault(event.target or "", []).append(event)
                return
        elif event.kind in ("add", "rename", "merge", "mark", "book"):
            group = _CLASSES
        else:
            group = (self._resolve(event) if event.id else None) or _NOWHERE
        self._group_of[event.uuid] = group
        self._groups.setdefault(group, []).append(event)
        touched.add(group)
        for undo in self._orphans.pop(event.uuid, ()):
            self._file(undo, touched)

    def _settle(self, id: SampleId) -> None:
        events = sorted(self._groups[id], key=lambda event: event.number)
        back = taken_back(events)
        answers = standing(events, lambda event: id).get(id, ())
        last = settlements(events, lambda event: id).get(id)
        settled = settle(answers, last, self._into)
        flags = tuple(e for e in events if e.kind == "flag" and e.uuid not in back)
        views: tuple[tuple[dict, object], ...] = (
            (self.standing, answers),
            (self.settled, settled),
            (self.flags, flags),
            (self.boxes, boxes(events, lambda event: id).get(id)),
        )
        for view, value in views:
            if value:
                view[id] = value
            else:
                view.pop(id, None)
