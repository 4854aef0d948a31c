"""The classes as the log has them: configured, added, shown under another name, merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alvision.core.records import Event
from alvision.labels.consensus import merges, taken_back

DEFECT, SOUND = "defect", "sound"
"""The note of a `mark` event; an `add` event of a defect has it too."""


@dataclass(frozen=True)
class ClassList:
    """List the classes after all class events.

    Attributes:
        keys: What events call them; a key never changes. The configured ones in their order, then
            the added ones in theirs. Merged ones stay, so that no column of a model moves.
        shown: The name that people see, by key.
        into: What each merged class became, by key; always a class that is not merged itself.
    """

    keys: tuple[str, ...]
    shown: dict[str, str]
    into: dict[str, str]

    @property
    def open(self) -> tuple[str, ...]:
        """Return the classes that can be answered, in order."""
        return tuple(key for key in self.keys if key not in self.into)


def class_list(configured: Sequence[str], events: Iterable[Event]) -> ClassList:
    """Apply the log's class events to the configured classes.

    Adding a class that is there, renaming one that is not, and a merge that would close a ring
    change nothing. Undone events do not count.

    >>> log = [Event("", "rename", "worn", "me", 0, "1", target="abraded")]
    >>> class_list(["ok", "worn"], log).shown
    {'ok': 'ok', 'worn': 'abraded'}
    """
    events = tuple(event for event in events if event.kind in ("add", "rename", "undo", "merge"))
    back = taken_back(events)
    shown = {name: name for name in configured}
    for event in events:
        if event.kind == "add" and event.label and event.uuid not in back:
            shown.setdefault(event.label, event.label)
    for event in events:
        if event.kind == "rename" and event.label in shown and event.uuid not in back:
            shown[event.label] = event.target or event.label
    return ClassList(tuple(shown), shown, merges(events))


def marks(events: Iterable[Event]) -> dict[str, bool]:
    """Return whether people made each class a defect; the last word on a class counts.

    A class on which nobody said so is not there: the configuration speaks for it.

    >>> log = [Event("", "mark", "worn", "me", 0, "1", note=DEFECT)]
    >>> marks(log), marks([*log, Event("", "undo", None, "me", 0, "2", target="1")])
    ({'worn': True}, {})
    """
    events = tuple(event for event in events if event.kind in ("add", "mark", "undo"))
    back = taken_back(events)
    found = {}
    for event in events:
        if event.label and event.uuid not in back and (event.kind == "mark" or event.note):
            found[event.label] = event.note == DEFECT
    return found


def marked(defects: Iterable[str], marks: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the classes that are defects: those named, as people's `marks` changed them.

    >>> marked(["worn", "bent"], {"bent": False, "torn": True})
    ('worn', 'torn')
    """
    named = tuple(defects)
    more = sorted(name for name, defect in marks.items() if defect and name not in named)
    return (*(name for name in named if marks.get(name, True)), *more)
