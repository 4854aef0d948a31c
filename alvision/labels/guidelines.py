"""The label book: for each class a rule in words, and images that show its limits.

The book is part of the log: each entry is an event of kind `book` with the entry as its note.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId

_LISTS = ("examples", "counter_examples", "borderline")


@dataclass(frozen=True)
class Entry:
    """Define one class.

    Attributes:
        rule: When an image belongs to the class, in words.
        examples: Images that belong to it.
        counter_examples: Images that look as if they did, but do not.
        borderline: Images that only just belong to it.
    """

    rule: str = ""
    examples: tuple[SampleId, ...] = ()
    counter_examples: tuple[SampleId, ...] = ()
    borderline: tuple[SampleId, ...] = ()


@dataclass(frozen=True)
class Book:
    """Hold the last entry of every class.

    Attributes:
        version: How many entries were ever written; 0 for an empty book. Every answer records it.
        entries: The last entry of each class, by its key.
    """

    version: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)


def book(events: Iterable[Event], version: int | None = None) -> Book:
    """Read the book from the log: the current one, or an earlier version.

    >>> entry = write(Entry("scratches above 2 mm"))
    >>> book([Event("", "book", "worn", "me", 0, "1", note=entry)]).entries["worn"].rule
    'scratches above 2 mm'
    """
    entries: dict[str, Entry] = {}
    count = 0
    for event in events:
        if event.kind == "book" and event.label and count != version:
            entries[event.label] = read(event.note or "")
            count += 1
    return Book(count, entries)


def write(entry: Entry) -> str:
    """Return an entry as the note of a `book` event."""
    return json.dumps(asdict(entry), ensure_ascii=False)


def read(note: str) -> Entry:
    """Return the entry in the note of a `book` event.

    Raises:
        UserError: The note is not an entry.
    """
    try:
        content: dict[str, Any] = json.loads(note)
        entry = Entry(content["rule"], *(tuple(content[name]) for name in _LISTS))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{note[:80]!r} is not an entry of the label book ({error})") from error
    texts = [entry.rule, *entry.examples, *entry.counter_examples, *entry.borderline]
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{note[:80]!r} is not an entry of the label book: it may hold texts only")
    return entry
