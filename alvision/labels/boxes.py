"""Rough boxes that people drew over defects: each belongs to an answer and counts as long as it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from alvision.core.records import Event, SampleId
from alvision.labels.consensus import Resolve, standing, taken_back

_WRITTEN = re.compile(r"\d{1,6},\d{1,6},[1-9]\d{0,5},[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True)
class Box:
    """A box, in whole pixels of the upright photograph at full resolution.

    Attributes:
        x: Left edge, from 0.
        y: Upper edge, from 0.
        width: At least 1.
        height: At least 1.
    """

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def read(cls, note: str | None) -> Box | None:
        """Return the box that an event's note says; None if it says none.

        >>> Box.read("12,0,30,40"), Box.read("12,0,0,40")
        (Box(x=12, y=0, width=30, height=40), None)
        """
        if not _WRITTEN.fullmatch(note or ""):
            return None
        return cls(*map(int, str(note).split(",")))

    @property
    def note(self) -> str:
        """Return the note of an event that says this box."""
        return f"{self.x},{self.y},{self.width},{self.height}"

    def lies_in(self, size: tuple[int, int]) -> bool:
        """Say whether it lies in a photograph of so many pixels, width first."""
        return self.x + self.width <= size[0] and self.y + self.height <= size[1]


def boxes(
    events: Iterable[Event], resolve: Resolve | None = None
) -> dict[SampleId, tuple[Box, ...]]:
    """Return the boxes that count on each image.

    A box belongs to an answer to the same image: it goes with the answer when that is undone or
    changed.

    Args:
        events: The log, or its beginning up to a pin.
        resolve: Finds the image that an event is about; without it, the id in the event.
    """
    events = tuple(events)
    drawn = [event for event in events if event.kind == "box"]
    if not drawn:
        return {}
    back = taken_back(events)
    of_answer: dict[tuple[SampleId | None, str | None], list[Box]] = {}
    for event in drawn:
        box = Box.read(event.note)
        if box is not None and event.uuid not in back:
            id = resolve(event) if resolve else event.id
            of_answer.setdefault((id, event.target), []).append(box)
    found = {
        id: tuple(box for answer in answers for box in of_answer.get((id, answer.uuid), ()))
        for id, answers in standing(events, resolve).items()
    }
    return {id: there for id, there in found.items() if there}
