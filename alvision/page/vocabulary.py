"""The requests about what people agree on: classes, the label book, and disputes."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Sequence

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId
from alvision.labels import guidelines
from alvision.labels.answers import check_classes
from alvision.labels.classes import DEFECT, SOUND
from alvision.page.image_urls import Look
from alvision.page.requests import BookEdit, ClassChange, FirstClasses, Refused, Settlement
from alvision.page.responses import (
    BookEntry,
    BookVersion,
    Classes,
    Conflict,
    Conflicts,
    LabelBook,
    ShownClass,
    Stored,
    Vote,
)
from alvision.page.state import PageState

# More than a meeting gets through; the next ones come once these are settled.
_CONFLICTS_SHOWN = 100


class VocabularyApi:
    """Answer the requests that change the classes, the label book or the class of an image.

    Each method holds the state's lock from its check to its append: two people may not add one
    class twice, or write over each other's entry in the book.

    Args:
        state: The state.
    """

    def __init__(self, state: PageState) -> None:
        self._state = state

    def classes(self) -> list[ShownClass]:
        """Return the classes that can be answered, in their fixed order; called with the lock."""
        state = self._state
        found, defects = state.ledger.classes, state.defects()
        return [
            ShownClass(name=key, shown=found.shown[key], defect=key in defects)
            for key in found.open
        ]

    def setup(self, request: FirstClasses, more: Sequence[Event] = ()) -> Classes:
        """Store the first classes, and what else was settled with them."""
        state = self._state
        with state.lock:
            state.refresh()
            if state.ledger.classes.keys:
                raise Refused("the classes are set already", 409)
            unknown = [name for name in request.defects if name not in request.classes]
            if unknown:
                raise Refused(f"{unknown[0]!r} is marked as a defect but is not a class")
            _check(request.classes)
            state.append(
                [
                    *more,
                    *(
                        _added(name, request.by, name in request.defects, str(uuids.uuid4()))
                        for name in request.classes
                    ),
                ]
            )
            return Classes(classes=self.classes())

    def change(self, request: ClassChange) -> Classes:
        """Add, rename, merge or mark a class."""
        state = self._state
        with state.lock:
            state.refresh()
            if request.uuid not in state.ledger.by_uuid:
                make = {
                    "add": self._add,
                    "rename": self._rename,
                    "merge": self._merge,
                    "mark": self._mark,
                }
                state.append([make[request.action](request)])
            return Classes(classes=self.classes())

    def book(self) -> LabelBook:
        """Return the label book."""
        state = self._state
        with state.lock:
            state.refresh()
            found = state.ledger.book
            entries = [
                BookEntry(
                    name=key,
                    rule=entry.rule,
                    example=self._addresses(entry.examples),
                    counter=self._addresses(entry.counter_examples),
                    borderline=self._addresses(entry.borderline),
                )
                for key in state.ledger.classes.open
                for entry in [found.entries.get(key, guidelines.Entry())]
            ]
            return LabelBook(version=found.version, classes=entries)

    def edit_book(self, request: BookEdit) -> BookVersion:
        """Write the entry of one class, if nobody has written in the book since it was read."""
        state = self._state
        with state.lock:
            state.refresh()
            if request.uuid not in state.ledger.by_uuid:
                if request.name not in state.ledger.classes.open:
                    raise Refused(f"{request.name!r} is not a class")
                if request.base != state.ledger.book.version:
                    raise Refused("somebody else has changed the book: open it again", 409)
                entry = guidelines.Entry(
                    request.rule,
                    examples=tuple(map(self._id, request.example)),
                    counter_examples=tuple(map(self._id, request.counter)),
                    borderline=tuple(map(self._id, request.borderline)),
                )
                note = guidelines.write(entry)
                state.append(
                    [Event("", "book", request.name, request.by, 0, request.uuid, note=note)]
                )
            return BookVersion(version=state.ledger.book.version)

    def conflicts(self) -> Conflicts:
        """Return the images that people disagree on, with everybody's answer and the model's."""
        state = self._state
        with state.lock:
            state.refresh()
            tied = [id for id in state.counters.conflicts() if state.images.size(id)]
        looks = {id: look for id in tied[:_CONFLICTS_SHOWN] if (look := state.images.look(id))}
        state.note_looks(looks)
        with state.lock:
            still = [id for id in state.counters.conflicts() if id in looks]
            return Conflicts(conflicts=[self._conflict(id, looks[id]) for id in still])

    def settle(self, request: Settlement) -> Stored:
        """Give an image its class, above the votes."""
        state = self._state
        with state.lock:
            state.refresh()
            if request.label not in state.ledger.classes.open:
                raise Refused(f"{request.label!r} is not a class")
            id = state.find(request.id, request.sha256)
            if id is None:
                raise Refused("this image is not in the data")
            sha256, round = state.seen(id, request.sha256), max(0, state.run.round)
            event = Event(
                id, "settle", request.label, request.by, round, request.uuid, sha256=sha256
            )
            state.append([event])
            return Stored(stored=[request.uuid])

    def _add(self, request: ClassChange) -> Event:
        self._refuse_taken(request.name, self._names())
        _check([request.name])
        return _added(request.name, request.by, request.defect, request.uuid)

    def _rename(self, request: ClassChange) -> Event:
        to = self._other_name(request)
        own = {request.name, self._state.ledger.classes.shown[request.name]}
        self._refuse_taken(to, self._names() - own)
        _check([to])
        return Event("", "rename", request.name, request.by, 0, request.uuid, target=to)

    def _merge(self, request: ClassChange) -> Event:
        to, classes = self._other_name(request), self._state.ledger.classes
        if to not in classes.open or to == request.name:
            raise Refused(f"{request.name!r} cannot be merged into {to!r}")
        if len(classes.open) <= 2:
            raise Refused("two classes must be left")
        return Event("", "merge", request.name, request.by, 0, request.uuid, target=to)

    def _mark(self, request: ClassChange) -> Event:
        if request.name not in self._state.ledger.classes.open:
            raise Refused(f"{request.name!r} is not a class")
        note = DEFECT if request.defect else SOUND
        return Event("", "mark", request.name, request.by, 0, request.uuid, note=note)

    def _other_name(self, request: ClassChange) -> str:
        if request.name not in self._state.ledger.classes.open:
            raise Refused(f"{request.name!r} is not a class")
        if request.to is None:
            raise Refused(f"{request.action} needs another name")
        return request.to

    def _names(self) -> set[str]:
        """Return every key and every shown name: a new class may have neither."""
        classes = self._state.ledger.classes
        return {*classes.keys, *(classes.shown[key] for key in classes.open)}

    def _refuse_taken(self, name: str, taken: set[str]) -> None:
        if name in taken:
            raise Refused(f"there is a class {name!r} already", 409)

    def _conflict(self, id: SampleId, look: Look) -> Conflict:
        state = self._state
        width, height = look.size
        state.images.note_shown(id, look.sha256)
        found = None if id in state.context.held_out else state.run.opinion(id)
        current = state.run.opinions.get(id)
        return Conflict(
            id=state.images.address(id),
            sha256=look.sha256,
            width=width,
            height=height,
            votes=[
                Vote(by=event.by, kind=event.kind, label=event.label)
                for event in state.ledger.standing.get(id, ())
            ],
            probabilities=(found.ranked() or None) if found else None,
            heatmap=current is not None and bool(current.heatmap),
        )

    def _id(self, address: str) -> SampleId:
        id = self._state.images.id(address)
        if id is None:
            raise Refused("this image is not in the data")
        return id

    def _addresses(self, ids: tuple[SampleId, ...]) -> list[str]:
        images, paths = self._state.images, self._state.context.paths
        return [images.address(id) for id in ids if id in paths]


def _added(name: str, by: str, defect: bool, uuid: str) -> Event:
    return Event("", "add", name, by, 0, uuid, note=DEFECT if defect else None)


def _check(names: list[str]) -> None:
    try:
        check_classes(names)
    except UserError as error:
        raise Refused(str(error)) from None
