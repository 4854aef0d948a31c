"""What people agree on: classes, the label book, and what becomes of a dispute."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId
from alvision.labels import guidelines
from alvision.labels.answers import check_classes
from alvision.labels.classes import DEFECT
from alvision.page.requests import Change, Entry, Refused, Settlement, Setup
from alvision.page.state import Board

_CONFLICTS_SHOWN = 100


class Office:
    """Answer the requests that change what is being asked; their JSON is in `page.app`.

    Args:
        board: The state.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def classes(self) -> list[dict[str, Any]]:
        """Return the classes that can be answered, in their fixed order; called with the lock."""
        board = self._board
        found, defects = board.ledger.classes, board.defects()
        return [
            {"name": key, "shown": found.shown[key], "defect": key in defects} for key in found.open
        ]

    def setup(self, said: Setup) -> dict[str, Any]:
        """Take the first classes."""
        board = self._board
        with board.lock:
            board.refresh()
            if board.ledger.classes.keys:
                raise Refused("the classes are set already", 409)
            unknown = [name for name in said.defects if name not in said.classes]
            if unknown:
                raise Refused(f"{unknown[0]!r} is marked as a defect and is no class")
            _check(said.classes)
            board.append([_added(name, said.by, name in said.defects) for name in said.classes])
            return {"classes": self.classes()}

    def change(self, said: Change) -> dict[str, Any]:
        """Add, rename or merge a class."""
        board = self._board
        with board.lock:
            board.refresh()
            if said.uuid in board.ledger.by_uuid:
                return {"classes": self.classes()}
            now = board.ledger.classes
            taken = {*now.keys, *(now.shown[key] for key in now.open)}
            if said.action == "add":
                if said.name in taken:
                    raise Refused(f"there is a class {said.name!r} already", 409)
                _check([said.name])
                event = _added(said.name, said.by, said.defect, said.uuid)
            else:
                if said.name not in now.open:
                    raise Refused(f"{said.name!r} is no class")
                if said.to is None:
                    raise Refused(f"{said.action} needs another name")
                if said.action == "rename":
                    if said.to in taken - {said.name, now.shown[said.name]}:
                        raise Refused(f"there is a class {said.to!r} already", 409)
                    _check([said.to])
                else:
                    if said.to not in now.open or said.to == said.name:
                        raise Refused(f"{said.name!r} cannot go into {said.to!r}")
                    if len(now.open) <= 2:
                        raise Refused("two classes must be left")
                event = Event("", said.action, said.name, said.by, 0, said.uuid, target=said.to)
            board.append([event])
            return {"classes": self.classes()}

    def book(self) -> dict[str, Any]:
        """Return the label book."""
        board = self._board
        with board.lock:
            board.refresh()
            found = board.ledger.book
            entries = [
                {
                    "name": key,
                    "rule": entry.rule,
                    "example": self._addresses(entry.examples),
                    "counter": self._addresses(entry.counter_examples),
                    "borderline": self._addresses(entry.borderline),
                }
                for key in board.ledger.classes.open
                for entry in [found.entries.get(key, guidelines.Entry())]
            ]
            return {"version": found.version, "classes": entries}

    def write(self, said: Entry) -> dict[str, Any]:
        """Write the entry of one class."""
        board = self._board
        with board.lock:
            board.refresh()
            if said.uuid not in board.ledger.by_uuid:
                if said.name not in board.ledger.classes.open:
                    raise Refused(f"{said.name!r} is no class")
                if said.base != board.ledger.book.version:
                    raise Refused("somebody else has written in the book: look at it again", 409)
                lists = (said.example, said.counter, said.borderline)
                entry = guidelines.Entry(said.rule, *(tuple(map(self._id, ids)) for ids in lists))
                note = guidelines.write(entry)
                board.append([Event("", "book", said.name, said.by, 0, said.uuid, note=note)])
            return {"version": board.ledger.book.version}

    def conflicts(self) -> dict[str, Any]:
        """Return the images that people disagree on, with what everybody and the model said."""
        board = self._board
        with board.lock:
            board.refresh()
            tied = [id for id in board.tally.conflicts() if board.pictures.size(id)]
            return {"conflicts": [self._conflict(id) for id in tied[:_CONFLICTS_SHOWN]]}

    def settle(self, said: Settlement) -> dict[str, Any]:
        """Give an image its class, above the votes."""
        board = self._board
        with board.lock:
            board.refresh()
            if said.label not in board.ledger.classes.open:
                raise Refused(f"{said.label!r} is no class")
            event = Event(
                self._id(said.id), "settle", said.label, said.by,
                max(0, board.watch.round), said.uuid,
            )  # fmt: skip
            board.append([event])
            return {"stored": [said.uuid]}

    def _conflict(self, id: SampleId) -> dict[str, Any]:
        board = self._board
        width, height = board.pictures.size(id) or (1, 1)
        found = None if id in board.setting.held_out else board.watch.opinion(id)
        return {
            "id": board.pictures.address(id),
            "width": width,
            "height": height,
            "votes": [
                {"by": event.by, "kind": event.kind, "label": event.label}
                for event in board.ledger.words.get(id, ())
            ],
            "probabilities": sorted(found["probabilities"].items(), key=lambda pair: -pair[1])
            if found
            else None,
            "heatmap": bool(board.watch.opinions.get(id, {}).get("heatmap")),
        }

    def _id(self, address: str) -> SampleId:
        id = self._board.pictures.id(address)
        if id is None:
            raise Refused("this image is not in the data")
        return id

    def _addresses(self, ids: tuple[SampleId, ...]) -> list[str]:
        pictures, paths = self._board.pictures, self._board.setting.paths
        return [pictures.address(id) for id in ids if id in paths]


def _added(name: str, by: str, defect: bool, uuid: str | None = None) -> Event:
    note = DEFECT if defect else None
    return Event("", "add", name, by, 0, uuid or str(uuids.uuid4()), note=note)


def _check(names: list[str]) -> None:
    try:
        check_classes(names)
    except UserError as error:
        raise Refused(str(error)) from None
