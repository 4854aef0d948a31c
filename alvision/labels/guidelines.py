"""The label book: for each class a rule in words, and images that show where it ends."""

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
    """What the book says of one class.

    Attributes:
        rule: When an image belongs to the class, in words.
        examples: Images that do.
        counter_examples: Images that look so and do not.
        borderline: Images at the edge that count as the class.
    """

    rule: str = ""
    examples: tuple[SampleId, ...] = ()
    counter_examples: tuple[SampleId, ...] = ()
    borderline: tuple[SampleId, ...] = ()


@dataclass(frozen=True)
class Book:
    """The book as it stands.

    Attributes:
        version: How many entries were ever written; 0 for an empty book. An answer stores it.
        entries: The last entry of each class, by its key.
    """

    version: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)


def book(events: Iterable[Event], version: int | None = None) -> Book:
    """Read the book out of the log, as it stands or as it was at a version.

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
    """Read an entry back.

    Raises:
        UserError: The note is no entry.
    """
    try:
        content: dict[str, Any] = json.loads(note)
        entry = Entry(content["rule"], *(tuple(content[name]) for name in _LISTS))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{note[:80]!r} is no entry of the label book ({error})") from error
    texts = [entry.rule, *entry.examples, *entry.counter_examples, *entry.borderline]
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{note[:80]!r} is no entry of the label book: it may hold texts only")
    return entry
