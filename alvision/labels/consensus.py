"""What the log says now: undos applied, each person's last word, the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alvision.records import NOT_CLASSES, Event, SampleId

Resolve = Callable[[Event], SampleId | None]
"""Tells which image of today an event is about; None where there is none."""


@dataclass(frozen=True)
class Settled:
    """The class of one image.

    Attributes:
        label: The class that most people said; in a tie the one of them that was said last.
        votes: What each person said, in the order they said it.
        conflict: The vote was a tie.
    """

    label: str
    votes: dict[str, str]
    conflict: bool


def taken_back(events: Iterable[Event]) -> set[str]:
    """Return the uuids that undos take back, whether or not their events are there yet.

    An undo may itself be undone, and then what it took back stands again. Anyone may undo
    anyone's event. The order of events does not matter; undos that take back one another in a
    ring take back nothing.

    >>> undo = lambda uuid, target: Event("a.png", "undo", None, "me", 0, uuid, target=target)
    >>> taken_back([undo("u1", "x")]), taken_back([undo("u1", "x"), undo("u2", "u1")])
    ({'x'}, {'u1'})
    """
    targets = {event.uuid: event.target for event in events if event.kind == "undo"}
    undecided = Counter(target for target in targets.values() if target in targets)
    decided = [uuid for uuid in targets if not undecided[uuid]]
    back: set[str] = set()
    for uuid in decided:  # grows while it is walked: an undo is decided after all undos of it
        target = targets[uuid]
        if uuid not in back and target is not None:
            back.add(target)
        if target in targets:
            undecided[target] -= 1
            if not undecided[target]:
                decided.append(target)
    return back


def standing(
    events: Iterable[Event], resolve: Resolve | None = None
) -> dict[SampleId, tuple[Event, ...]]:
    """Return the words that stand on each image: the last of every person, in the order said.

    Undone events do not count, so taking back the last word brings back the one before. An
    import is a word of its own beside what the same name said as a person.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Tells which image an event is about; without it, the id in the event.
    """
    events = tuple(events)
    back = taken_back(events)
    words: dict[SampleId, dict[tuple[bool, str], Event]] = {}
    for event in events:
        if event.kind == "undo" or event.uuid in back:
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
    with nothing else is not settled. An import counts only where no person said anything.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Tells which image an event is about; without it, the id in the event.

    >>> consensus([Event("a.png", "label", "worn", "me", 0, "1")])["a.png"].label
    'worn'
    """
    settled = {}
    for id, words in standing(events, resolve).items():
        spoken = [event for event in words if event.kind != "import"]
        votes = {
            event.by: event.label
            for event in spoken or words
            if event.label is not None and event.label not in NOT_CLASSES
        }
        if votes:
            settled[id] = _majority(votes)
    return settled


def answered(events: Iterable[Event], resolve: Resolve | None = None) -> set[SampleId]:
    """Return the images on which any word stands, and which are therefore not in the pool."""
    return set(standing(events, resolve))


def _majority(votes: dict[str, str]) -> Settled:
    counts = Counter(votes.values())
    most = max(counts.values())
    leading = {label for label, count in counts.items() if count == most}
    last = [label for label in votes.values() if label in leading][-1]
    return Settled(last, votes, conflict=len(leading) > 1)
