"""The requests that look back: answers that were given, and what is known of one photograph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import PurePosixPath

from alvision.core.records import Event, SampleId
from alvision.core.utc import as_text
from alvision.data.groups import exif_time
from alvision.labels.boxes import Box
from alvision.labels.voting import disputed
from alvision.page.assignment import Assignment
from alvision.page.image_urls import Look
from alvision.page.requests import Refused
from alvision.page.responses import About, Answered, AnsweredImage, GivenAnswer, Show
from alvision.page.state import PageState

MOST_ANSWERED = 60
"""Images in one reply: three screens of thumbnails; the next ones come when a person asks."""

_VIEWS = 12
"""Other views of a part that are shown."""


@dataclass(frozen=True)
class Filter:
    """Which answered images a person wants to see; empty fields want all.

    Attributes:
        label: The class that counts.
        person: Who answered it.
        show: What is special about it.
        hours: How long ago an answer was given, at most.
        search: Letters of the photograph's own name or of a note.
    """

    label: str | None = None
    person: str | None = None
    show: Show = "all"
    hours: float | None = None
    search: str = ""


@dataclass(frozen=True)
class _Found:
    """An answered image as it was in one moment."""

    id: SampleId
    answers: tuple[Event, ...]
    label: str | None
    expected: str | None
    disputed: bool
    notes: tuple[str, ...]
    boxes: tuple[Box, ...]


class BrowseApi:
    """Answer the requests that look back.

    Args:
        state: The state.
        assignment: Knows which images still wait for somebody's vote.
    """

    def __init__(self, state: PageState, assignment: Assignment) -> None:
        self._state = state
        self._assignment = assignment

    def answered(self, by: str, wanted: Filter, offset: int) -> Answered:
        """Return answered images, the last answers first.

        An image that still waits for this person's own vote is left out: the others' votes would
        sway it. So is a gold image, which is asked once more.
        """
        state = self._state
        now = as_text(datetime.now(UTC) - timedelta(hours=wanted.hours or 0))
        with state.lock:
            state.refresh()
            people = sorted(name for name, count in state.counters.mine.items() if count)
            moment = tuple(self._moment(by))
        # Without the lock: all that was answered is gone through.
        fit = [one for one in moment if _fits(one, wanted, now)]
        fit.sort(key=lambda one: max(event.number for event in one.answers), reverse=True)
        shown = fit[offset : offset + MOST_ANSWERED]
        looks = {one.id: look for one in shown if (look := state.images.look(one.id))}
        state.note_looks(looks)
        with state.lock:
            for id, look in looks.items():
                state.images.note_shown(id, look.sha256)
        return Answered(
            total=len(fit),
            people=people,
            images=[self._image(one, looks[one.id]) for one in shown if one.id in looks],
        )

    def about(self, address: str) -> About:
        """Return a photograph's own name, when it was taken, and other views of its part.

        The folders of its path stay hidden: one may be called after a class.
        """
        state = self._state
        with state.lock:
            id = state.images.id(address)
            path = state.context.paths.get(id or "")
            groups = state.context.groups
        if id is None or path is None:
            raise Refused("this image is not in the data", 410)
        group = groups.get(id)
        others = [one for one, name in groups.items() if name == group and one != id]
        taken = exif_time(path)
        return About(
            name=PurePosixPath(id).name,
            taken=taken.isoformat(sep=" ") if taken else None,
            views=[state.images.address(one) for one in sorted(others)[:_VIEWS]],
        )

    def _moment(self, by: str) -> Iterator[_Found]:
        state = self._state
        ledger, held_out, expected = state.ledger, state.context.held_out, state.run.expected
        rows = chain(state.run.batch, state.run.ranking)
        gold = {row.id for row in rows if row.slot == "gold"}
        for id, answers in ledger.standing.items():
            mine = any(event.by == by for event in answers)
            if id in gold or id not in state.context.paths:
                continue
            if not mine and self._assignment.waits_for_votes(id):
                continue
            settled = ledger.settled.get(id)
            yield _Found(
                id,
                answers,
                settled.label if settled else None,
                None if id in held_out else expected.get(id),
                disputed(answers, settled),
                tuple(event.note or "" for event in ledger.flags.get(id, ())),
                ledger.boxes.get(id, ()),
            )

    def _image(self, found: _Found, look: Look) -> AnsweredImage:
        answers = [
            GivenAnswer(by=event.by, kind=event.kind, label=event.label, time=event.time)
            for event in found.answers
        ]
        return AnsweredImage(
            id=self._state.images.address(found.id),
            sha256=look.sha256,
            label=found.label,
            expected=found.expected,
            disputed=found.disputed,
            answers=answers,
            notes=list(found.notes),
            photo_width=look.photograph[0],
            photo_height=look.photograph[1],
            boxes=[(box.x, box.y, box.width, box.height) for box in found.boxes],
        )


def _fits(found: _Found, wanted: Filter, since: str) -> bool:
    if wanted.label is not None and found.label != wanted.label:
        return False
    if wanted.person is not None and all(event.by != wanted.person for event in found.answers):
        return False
    if wanted.hours is not None and all((event.time or "") < since for event in found.answers):
        return False
    if not _is(found, wanted.show):
        return False
    return not wanted.search or _mentioned(wanted.search, (_name(found.id), *found.notes))


def _is(found: _Found, show: Show) -> bool:
    kinds = {event.kind for event in found.answers}
    match show:
        case "all":
            return True
        case "doubt":
            return None not in (found.expected, found.label) and found.expected != found.label
        case "disputed":
            return found.disputed
        case "flag":
            return bool(found.notes)
        case _:
            return show in kinds


def _mentioned(search: str, texts: Iterable[str]) -> bool:
    return any(search.casefold() in text.casefold() for text in texts)


def _name(id: SampleId) -> str:
    return PurePosixPath(id).name
