"""The log in words, for people to read."""

from __future__ import annotations

from collections.abc import Iterable

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.labels.classes import DEFECT, ClassList
from alvision.labels.consensus import taken_back
from alvision.labels.guidelines import read


def history(events: Iterable[Event], classes: ClassList) -> list[str]:
    """Return the log in words, one line an event, in its order; times are UTC.

    >>> history([Event("a.png", "label", "ok", "anna", 2, "1", number=1)], ClassList((), {}, {}))
    ['     1  anna: a.png is ok']
    """
    events = tuple(events)
    back = taken_back(events)
    number_of = {event.uuid: event.number for event in events}
    lines = []
    for event in events:
        text = _text(event, classes, number_of)
        note = f" ({event.note})" if event.note and event.kind not in ("book", "mark") else ""
        undone = "  [taken back]" if event.uuid in back else ""
        said = f"{event.time[:16].replace('T', ' ')}  " if event.time else ""
        line = f"{event.number:>6}  {said}{event.by}: {text}{note}{undone}"
        lines.append(" ".join(line.splitlines()))
    return lines


def _text(event: Event, classes: ClassList, number_of: dict[str, int]) -> str:
    name = classes.shown.get(event.label or "", event.label)
    if event.kind == "undo":
        return f"takes back event {number_of.get(event.target or '', 'that is not there')}"
    if event.kind == "book":
        return f"writes on {name} in the label book: {_rule(event)}"
    return {
        "label": f"{event.id} is {name}",
        "skip": f"{event.id} is skipped",
        "unsure": f"{event.id} could be anything",
        "import": f"{event.id} was {name} elsewhere",
        "settle": f"{event.id} is {name}, whatever the votes",
        "flag": f"{event.id} needs a look",
        "box": f"{event.id} has a box drawn on it",
        "close": f"round {event.round} is closed",
        "add": f"{name} is a class from now on",
        "rename": f"{event.label} is shown as {event.target}",
        "merge": f"{event.label} becomes {event.target}",
        "groups": f"photographs are grouped by {event.target} from now on",
        "mark": f"{name} is {'a' if event.note == DEFECT else 'no'} defect",
    }[event.kind]


def _rule(event: Event) -> str:
    """Return the rule of an entry; a damaged one must not hide the rest of the history."""
    try:
        return read(event.note or "").rule
    except UserError:
        return "(this entry cannot be read)"
