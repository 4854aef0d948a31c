"""What people do on the page: get images, answer, take back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alvision.core.records import Event, QueryRow, SampleId
from alvision.page.assignment import Desk
from alvision.page.requests import Refused, Word
from alvision.page.state import Board

MOST_AT_ONCE = 24


class Room:
    """Answer the requests of those who label; the JSON of each is described in `page.app`.

    Args:
        board: The state.
        desk: Who gets which image.
    """

    def __init__(self, board: Board, desk: Desk) -> None:
        self._board = board
        self._desk = desk

    def next(self, by: str, n: int, held: Sequence[str]) -> dict[str, Any]:
        """Give up to n images; say why there is none."""
        board = self._board
        with board.lock:
            board.refresh()
            board.seen(by)
            known = [id for id in map(board.pictures.id, held[:MOST_AT_ONCE]) if id]
            rows = self._desk.take(by, max(0, min(n, MOST_AT_ONCE)), known)
            items = [self.item(row) for row in rows]
        nothing = None if items or known else "every image has been answered"
        return {"items": items, "message": nothing}

    def item(self, row: QueryRow) -> dict[str, Any]:
        """Describe an image to the page; blind ones without anything that the model says."""
        board = self._board
        size = board.pictures.size(row.id) or (1, 1)
        always = row.id in board.setting.held_out or row.slot in ("audit", "gold")
        blind = always or board.setting.blind
        item = {
            "id": board.pictures.address(row.id),
            "round": max(0, board.watch.round),
            "width": size[0],
            "height": size[1],
            "slot": "blind" if always else row.slot,
            "blind": blind,
            "votes": len(board.ledger.words.get(row.id, ())),
            "reason": row.reason if row.slot in ("audit", "random") else None,
            "probabilities": None,
            "neighbours": None,
            "heatmap": False,
        }
        return item if blind else item | self.opinion(row)

    def opinion(self, row: QueryRow) -> dict[str, Any]:
        """Return what the model says of an image, and why it was chosen."""
        board = self._board
        found = board.watch.opinions.get(row.id)
        told: dict[str, Any] = {"reason": row.reason or None}
        if found:
            told["probabilities"] = sorted(
                found["probabilities"].items(), key=lambda pair: -pair[1]
            )
            told["neighbours"] = [
                {"id": board.pictures.address(id), "label": label}
                for id, label in found["neighbours"]
                if id in board.setting.paths
            ]
            told["heatmap"] = board.watch.heatmap(found["heatmap"]).exists()
        return told

    def answers(self, by: str, words: Sequence[Word]) -> dict[str, Any]:
        """Record what a person said; what was recorded before counts as stored."""
        board = self._board
        with board.lock:
            board.look()  # what others wrote to the log comes with the answer's own transaction
            events: list[Event] = []
            refused = []
            for word in words:
                try:
                    events.append(self._event(by, word))
                except Refused as reason:
                    refused.append({"uuid": word.uuid, "error": str(reason)})
            if events:
                board.append(events)
            told = [self._told(event) for event in events] if board.setting.blind else []
        return {
            "stored": [event.uuid for event in events],
            "refused": refused,
            "opinions": [opinion for opinion in told if opinion],
        }

    def last(self, by: str) -> dict[str, Any] | None:
        """Return a person's last answer that stands, for an undo after a restart."""
        board = self._board
        with board.lock:
            board.refresh()
            event = board.tally.last(by)
            if event is None or (id := board.tally.image(event)) is None:
                return None
            item = self.item(self._desk.row(id))
        return {"uuid": event.uuid, "kind": event.kind, "label": event.label, "item": item}

    def close(self, by: str, uuid: str) -> dict[str, Any]:
        """End the batch that is being asked: train now."""
        board = self._board
        with board.lock:
            board.refresh()
            if uuid in board.ledger.by_uuid:
                return {"stored": [uuid]}
            if board.watch.round < 0 or board.watch.phase != "asking":
                raise Refused("no batch is being asked now, so none can be closed", 409)
            board.append([Event("", "close", None, by, board.watch.round, uuid)])
        return {"stored": [uuid]}

    def _event(self, by: str, word: Word) -> Event:
        board = self._board
        id = board.pictures.id(word.id or "")
        target, label = None, None
        if word.kind == "undo":
            id, target = self._taken_back(by, word, id), word.target
        elif id is None:
            raise Refused("this image is not in the data")
        if word.kind == "label":
            if word.label not in board.ledger.classes.keys:
                raise Refused(f"{word.label!r} is no class")
            label = word.label
        if word.kind == "flag" and not word.note:
            raise Refused("a flag needs a note")
        newest = max(0, board.watch.round)
        return Event(
            id or "",
            word.kind,
            label,
            by,
            newest if word.round is None else min(word.round, newest),
            word.uuid,
            word.seconds,
            target=target,
            note=word.note if word.kind == "flag" else None,
            book=word.book_version if word.kind in ("label", "skip", "unsure") else None,
        )

    def _taken_back(self, by: str, word: Word, id: SampleId | None) -> SampleId | None:
        if word.target is None:
            raise Refused("an undo names what it takes back")
        target = self._board.ledger.by_uuid.get(word.target)
        if target is None:
            return id  # it may arrive before what it takes back
        if target.by != by:
            raise Refused(f"only {target.by} can take this back")
        if target.kind not in ("label", "skip", "unsure", "flag", "undo", "settle"):
            raise Refused("this cannot be taken back")
        return target.id

    def _told(self, event: Event) -> dict[str, Any] | None:
        board = self._board
        if event.kind not in ("label", "skip", "unsure") or event.id in board.setting.held_out:
            return None
        row = self._desk.row(event.id)
        if row.slot in ("audit", "gold"):
            return None
        return {"id": board.pictures.address(event.id), **self.opinion(row)}
