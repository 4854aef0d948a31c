"""What the log says now: undos applied, each person's last word, the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alvision.core.records import NOT_CLASSES, Event, SampleId
from alvision.labels.classes import merges
from alvision.labels.undo import taken_back

WORDS = frozenset({"label", "skip", "unsure", "import"})
Resolve = Callable[[Event], SampleId | None]
"""Tells which image of today an event is about; None where there is none."""


@dataclass(frozen=True)
class Settled:
    """The class of one image.

    Attributes:
        label: The class that most people said; in a tie the one of them that was said last. Where
            somebody settled it, that class.
        votes: What each person said, in the order they said it.
        conflict: The vote was a tie.
        by: Who settled it by a word above the votes; None where the votes decide.
    """

    label: str
    votes: dict[str, str]
    conflict: bool
    by: str | None = None


def standing(
    events: Iterable[Event], resolve: Resolve | None = None
) -> dict[SampleId, tuple[Event, ...]]:
    """Return the words that stand on each image: the last of every person, in the order said.

    Words are labels, skips, unsures and imports. Undone events do not count, so taking back the
    last word brings back the one before. An import is a word of its own beside what the same name
    said as a person.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Tells which image an event is about; without it, the id in the event.
    """
    events = tuple(events)
    back = taken_back(events)
    words: dict[SampleId, dict[tuple[bool, str], Event]] = {}
    for event in events:
        if event.kind not in WORDS or event.uuid in back:
            continue
        id = resolve(event) if resolve else event.id
        if id is None:
            continue
        speaker = (event.kind == "import", event.by)
        said = words.setdefault(id, {})
        said.pop(speaker, None)  # moves the speaker to the end, where the last word belongs
        said[speaker] = event
    return {id: tuple(said.values()) for id, said in words.items()}


def consensus(events: Iterable[Event], resolve: Resolve | None = None) -> dict[SampleId, Settled]:
    """Settle the class of every image that has one, by majority of the people's last words.

    Skip and unsure are no votes for a class: beside one label they change nothing, and an image
    with nothing else is not settled. An import counts only where no person said anything. The last
    `settle` that stands goes above all votes. Classes that were merged count as one.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Tells which image an event is about; without it, the id in the event.

    >>> consensus([Event("a.png", "label", "worn", "me", 0, "1")])["a.png"].label
    'worn'
    """
    events = tuple(events)
    words, last, into = standing(events, resolve), settlements(events, resolve), merges(events)
    found = {id: settle(words.get(id, ()), last.get(id), into) for id in {**words, **last}}
    return {id: settled for id, settled in found.items() if settled}


def settle(
    words: Iterable[Event], settlement: Event | None, into: Mapping[str, str]
) -> Settled | None:
    """Settle one image; None if nobody named a class.

    Args:
        words: What stands on it, see `standing`.
        settlement: The word above the votes, see `settlements`.
        into: The class that each merged class became.
    """
    votes = {
        event.by: into.get(event.label, event.label)
        for event in voices(words)
        if event.label is not None and event.label not in NOT_CLASSES
    }
    if settlement is not None and settlement.label is not None:
        label = into.get(settlement.label, settlement.label)
        return Settled(label, votes, conflict=False, by=settlement.by)
    return _majority(votes) if votes else None


def voices(words: Iterable[Event]) -> list[Event]:
    """Return the words that count: people's, or the imports where no person spoke."""
    words = list(words)
    return [event for event in words if event.kind != "import"] or words


def settlements(events: Iterable[Event], resolve: Resolve | None = None) -> dict[SampleId, Event]:
    """Return the last `settle` that stands on each image."""
    events = tuple(events)
    back = taken_back(events)
    last = {}
    for event in events:
        if event.kind == "settle" and event.uuid not in back:
            id = resolve(event) if resolve else event.id
            if id is not None:
                last[id] = event
    return last


def answered(events: Iterable[Event], resolve: Resolve | None = None) -> set[SampleId]:
    """Return the images on which any word stands, and which are therefore not in the pool."""
    events = tuple(events)
    return {*standing(events, resolve), *settlements(events, resolve)}


def _majority(votes: dict[str, str]) -> Settled:
    counts = Counter(votes.values())
    most = max(counts.values())
    leading = {label for label, count in counts.items() if count == most}
    last = [label for label in votes.values() if label in leading][-1]
    return Settled(last, votes, conflict=len(leading) > 1)
