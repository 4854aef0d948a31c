"""The requests of people who label: get images, submit answers, take the last one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from alvision.core.records import Event, QueryRow, SampleId
from alvision.core.utc import as_text
from alvision.labels.boxes import Box
from alvision.page.assignment import Assignment
from alvision.page.image_urls import Look
from alvision.page.requests import Refused, SubmittedEvent
from alvision.page.responses import (
    Item,
    LastAnswer,
    Neighbour,
    NextItems,
    Opinion,
    RefusedEvent,
    SeenRegion,
    Stored,
    SubmissionResult,
)
from alvision.page.run_follower import ModelOpinion
from alvision.page.state import PageState

MOST_HELD = 120
"""Images that a page may hold: those in hand, and those that grids left to be answered alone."""

MOST_AT_ONCE = 24
"""Images in one reply: the page holds 14, and a phone on a slow network no more than these."""

_ATTEMPTS = 5
"""How often images are chosen anew where some cannot be read; then the page asks again."""

_REPLACED = "another photograph lies under its name since it was chosen"

GRID = "grid "
"""How the note of an answer begins that was given in a grid; the grid's name follows."""

_UNDOABLE = ("label", "skip", "unsure", "flag", "undo", "settle")


class LabellingApi:
    """Answer the requests of people who label.

    Each method holds the state's lock from its first look at the log to its last, so that the
    reply is of one moment.

    Args:
        state: The state.
        assignment: Chooses who gets which image.
    """

    def __init__(self, state: PageState, assignment: Assignment) -> None:
        self._state = state
        self._assignment = assignment

    def next(self, by: str, n: int, held: Sequence[str]) -> NextItems:
        """Give a person up to n images; say why there is none."""
        state, n = self._state, max(0, min(n, MOST_AT_ONCE))
        known = [id for id in map(state.images.id, held[:MOST_HELD]) if id]
        items: list[Item] = []
        for _ in range(_ATTEMPTS):
            with state.lock:
                state.refresh()
                state.mark_present(by)
                rows = self._assignment.take(by, n - len(items), known)
            # Without the lock: a whole file is read. One that is gone or broken by now is passed
            # over, and `take` does not choose it again.
            looks = {row.id: look for row in rows if (look := state.images.look(row.id))}
            state.note_looks(looks)
            with state.lock:
                items += [self.item(row, looks[row.id]) for row in rows if row.id in looks]
            known += looks
            if len(items) >= n or len(looks) == len(rows):
                break
        return NextItems(items=items, message=None if items or known else self._why_none())

    def _why_none(self) -> str:
        hidden = self._state.images.hidden()
        if not hidden:
            return "every image has been answered"
        return (
            f"{hidden} photographs cannot be read, and all others have been answered: is their "
            "folder still there?"
        )

    def item(self, row: QueryRow, look: Look) -> Item:
        """Describe an image to the page; a blind one without anything that the model says."""
        state = self._state
        width, height = look.size
        if row.sha256 not in (None, look.sha256):  # chosen for another picture
            row = QueryRow(row.id, 0, slot="random", reason=_REPLACED)
        state.images.note_shown(row.id, look.sha256)
        always_blind = row.id in state.context.held_out or row.slot in ("audit", "gold")
        blind = always_blind or state.context.blind
        # On a blind image the reason may not tell why the model wants it.
        reason = row.reason if row.slot in ("audit", "random") else None
        item = Item(
            id=state.images.address(row.id),
            sha256=look.sha256,
            round=max(0, state.run.round),
            width=width,
            height=height,
            photo_width=look.photograph[0],
            photo_height=look.photograph[1],
            seen=None if look.seen is None else SeenRegion(**asdict(look.seen)),
            slot="blind" if always_blind else row.slot,
            blind=blind,
            votes=len(state.ledger.answers(row.id)),
            reason=reason,
            **self._row(row.id),
        )
        if blind:
            return item
        opinion = self._opinion(row, look.sha256)
        return item.model_copy(update={name: getattr(opinion, name) for name in _SHARED})

    def _row(self, id: SampleId) -> dict[str, Any]:
        """Return what a table says of an item; nothing where it is a photograph."""
        row = self._state.context.rows.get(id)
        if row is None:
            return {}
        return {"pictured": row.pictured, "text": row.text, "fields": list(row.fields)}

    def answers(self, by: str, events: Sequence[SubmittedEvent]) -> SubmissionResult:
        """Store a person's events; what was stored before counts as stored."""
        state = self._state
        with state.lock:
            # Only the run's folder is read here: what others wrote to the log comes with the
            # transaction that stores the answer, and one transaction is what a person waits for.
            state.poll()
            valid: list[Event] = []
            refused = []
            for event in events:
                try:
                    valid.append(self._event(by, event))
                except Refused as reason:
                    refused.append(
                        RefusedEvent(uuid=event.uuid, error=str(reason), status=reason.status)
                    )
            if valid:
                state.append(valid)
            opinions = [self._hidden_opinion(event) for event in valid]
            counts = self._assignment.counts(by)
        return SubmissionResult(
            stored=[event.uuid for event in valid],
            refused=refused,
            opinions=[opinion for opinion in opinions if opinion],
            counts=counts,
        )

    def last(self, by: str) -> LastAnswer | None:
        """Return a person's last answer that was not undone, for an undo after a restart."""
        state = self._state
        with state.lock:
            state.refresh()
            event = state.counters.last(by)
            if event is None or (id := state.counters.image(event)) is None:
                return None
        look = state.images.look(id)
        if look is None:
            return None
        state.note_looks({id: look})
        with state.lock:
            item = self.item(self._assignment.row(id), look)
            in_grid = (event.note or "").startswith(GRID)
            together = state.counters.given_with(event) if in_grid else []
        return LastAnswer(
            uuid=event.uuid, kind=event.kind, label=event.label, item=item, together=together
        )

    def close(self, by: str, uuid: str) -> Stored:
        """End the batch that is being asked: train now."""
        state = self._state
        with state.lock:
            state.refresh()
            if uuid in state.ledger.by_uuid:
                return Stored(stored=[uuid])
            if state.run.round < 0 or state.run.phase != "asking":
                raise Refused("no batch is being asked now, so none can be closed", 409)
            state.append([Event("", "close", None, by, state.run.round, uuid)])
        return Stored(stored=[uuid])

    def _opinion(self, row: QueryRow, sha256: str | None) -> Opinion:
        """Return what the model says of an image with these bytes, and why it was chosen."""
        state = self._state
        address, reason = state.images.address(row.id), row.reason or None
        found = state.run.opinions.get(row.id)
        if found is None or found.sha256 not in (None, sha256):
            return Opinion(id=address, reason=reason)
        return Opinion(
            id=address,
            reason=reason,
            probabilities=found.ranked() or None,
            neighbours=self._neighbours(found) or None,
            heatmap=state.run.heatmap(found) is not None,
            strange=found.strange,
        )

    def _neighbours(self, opinion: ModelOpinion) -> list[Neighbour]:
        state = self._state
        return [
            Neighbour(id=state.images.address(id), label=label, snippet=state.snippet(id))
            for id, label in opinion.neighbours
            if id in state.context.paths
        ]

    def _hidden_opinion(self, event: Event) -> Opinion | None:
        """Return what `page.blind` hid until this answer; never of held-out and gold images."""
        state = self._state
        if not state.context.blind or event.kind not in ("label", "skip", "unsure"):
            return None
        row = self._assignment.row(event.id)
        if event.id in state.context.held_out or row.slot in ("audit", "gold"):
            return None
        return self._opinion(row, event.sha256)

    def _event(self, by: str, submitted: SubmittedEvent) -> Event:
        state = self._state
        id = state.find(submitted.id or "", submitted.sha256)
        sha256, target, label = submitted.sha256, None, None
        if submitted.kind == "undo":
            id, target = self._undone_image(by, submitted, id), submitted.target
        elif id is None:
            raise Refused("this image is not in the data", 410)
        else:
            sha256 = state.seen(id, sha256)
        if submitted.kind == "label":
            if submitted.label not in state.ledger.classes.keys:
                raise Refused(f"{submitted.label!r} is not a class")
            label = submitted.label
        if submitted.kind == "flag" and not submitted.note:
            raise Refused("a flag needs a note")
        if submitted.kind == "box":
            target = self._boxed_answer(by, submitted, id or "")
        newest = max(0, state.run.round)
        return Event(
            id or "",
            submitted.kind,
            label,
            by,
            newest if submitted.round is None else min(submitted.round, newest),
            submitted.uuid,
            submitted.seconds,
            target=target,
            sha256=sha256,
            note=self._note(submitted, id),
            book=submitted.book_version if submitted.kind in ("label", "skip", "unsure") else None,
            time=as_text(datetime.now(UTC) - timedelta(seconds=submitted.seconds_ago)),
        )

    def _note(self, submitted: SubmittedEvent, id: SampleId | None) -> str | None:
        if submitted.kind in ("flag", "box"):
            return submitted.note
        if submitted.grid is None or submitted.kind not in ("label", "unsure"):
            return None
        # One key for many images: where an answer has to measure something, it is not enough.
        if id in self._state.context.held_out or self._assignment.row(id or "").slot == "gold":
            raise Refused("this image is asked blind, so it is answered by itself")
        return GRID + submitted.grid

    def _boxed_answer(self, by: str, submitted: SubmittedEvent, id: SampleId) -> str:
        """Return the answer that a box belongs to; the two come together."""
        box, look = Box.read(submitted.note), self._state.images.look(id)
        if box is None or look is None or not box.lies_in(look.photograph):
            raise Refused("a box lies in its photograph: x,y,width,height in whole pixels")
        if submitted.target is None:
            raise Refused("a box names the answer that it belongs to")
        answer = self._state.ledger.by_uuid.get(submitted.target)
        if answer is not None and answer.by != by:
            raise Refused(f"only {answer.by} can draw a box for this answer")
        return submitted.target

    def _undone_image(
        self, by: str, submitted: SubmittedEvent, id: SampleId | None
    ) -> SampleId | None:
        if submitted.target is None:
            raise Refused("an undo names what it takes back")
        target = self._state.ledger.by_uuid.get(submitted.target)
        if target is None:
            return id  # an undo may arrive before the answer that it takes back
        if target.by != by:
            raise Refused(f"only {target.by} can take this back")
        if target.kind not in _UNDOABLE:
            raise Refused("this cannot be taken back")
        return target.id


_SHARED = ("reason", "probabilities", "neighbours", "heatmap", "strange")
