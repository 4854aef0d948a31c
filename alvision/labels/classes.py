"""Classes that change while people label: added, shown under another name, merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alvision.core.records import Event
from alvision.labels.undo import taken_back

DEFECT = "defect"
"""The note of an `add` event whose class is a defect."""


@dataclass(frozen=True)
class ClassList:
    """The classes as they stand.

    Attributes:
        keys: What events call them, for ever: the configured ones in their order, then those that
            were added, in the order added. Merged ones stay, so that no column moves.
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

    An added class that is there already changes nothing, and neither do a rename of a class that
    is not there or a merge that would close a ring. Undone events do not count.

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


def merges(events: Iterable[Event]) -> dict[str, str]:
    """Return what each merged class became; a chain leads to its end.

    >>> merges([Event("", "merge", "a", "me", 0, "1", target="b"),
    ...         Event("", "merge", "b", "me", 0, "2", target="c")])
    {'a': 'c', 'b': 'c'}
    """
    events = tuple(event for event in events if event.kind in ("merge", "undo"))
    if not any(event.kind == "merge" for event in events):
        return {}
    back = taken_back(events)
    into: dict[str, str] = {}
    for event in events:
        if event.kind != "merge" or event.uuid in back or not event.label or not event.target:
            continue
        end = into.get(event.target, event.target)
        if event.label != end and event.label not in into:
            into = {source: end if old == event.label else old for source, old in into.items()}
            into[event.label] = end
    return into


def added_defects(events: Iterable[Event]) -> frozenset[str]:
    """Return the added classes that are defects; their events say so in the note."""
    return frozenset(
        event.label
        for event in events
        if event.kind == "add" and event.label and event.note == DEFECT
    )
