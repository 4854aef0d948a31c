"""What the log adds up to: undos applied, each person's last answer, the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alvision.core.records import NOT_CLASSES, Event, SampleId

_STANDING_KINDS = frozenset({"label", "skip", "unsure", "import"})
Resolve = Callable[[Event], SampleId | None]
"""Finds the image of today that an event is about; None where there is none."""


@dataclass(frozen=True)
class Settled:
    """Hold the class of one image and the votes for it.

    Attributes:
        label: The class with most votes; in a tie the one of them that was answered last. Where
            somebody settled a dispute, the class they chose.
        votes: The class that each person answered, in the order of the answers.
        conflict: The vote was a tie.
        by: Who settled it above the votes; None where the votes decide.
    """

    label: str
    votes: dict[str, str]
    conflict: bool
    by: str | None = None


def standing(
    events: Iterable[Event], resolve: Resolve | None = None
) -> dict[SampleId, tuple[Event, ...]]:
    """Return the answers that count on each image: the last of every person, in order.

    Answers are labels, skips, unsures and imports. Undone events do not count, so taking back the
    last answer brings back the one before. An import counts beside what a person of the same name
    answered.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Finds the image that an event is about; without it, the id in the event.
    """
    events = tuple(events)
    back = taken_back(events)
    answers: dict[SampleId, dict[tuple[bool, str], Event]] = {}
    for event in events:
        if event.kind not in _STANDING_KINDS or event.uuid in back:
            continue
        id = resolve(event) if resolve else event.id
        if id is None:
            continue
        speaker = (event.kind == "import", event.by)
        on_image = answers.setdefault(id, {})
        on_image.pop(speaker, None)  # a changed answer counts as the latest one
        on_image[speaker] = event
    return {id: tuple(on_image.values()) for id, on_image in answers.items()}


def consensus(events: Iterable[Event], resolve: Resolve | None = None) -> dict[SampleId, Settled]:
    """Settle the class of every image that has one, by majority of the last answers.

    Skip and unsure are not votes for a class: beside a label they change nothing, and an image
    with nothing else has no class. An import counts only where no person answered. The last
    `settle` that was not undone goes above all votes. Merged classes count as one.

    Args:
        events: The log, or its beginning up to a pin, in the order of the log.
        resolve: Finds the image that an event is about; without it, the id in the event.

    >>> consensus([Event("a.png", "label", "worn", "me", 0, "1")])["a.png"].label
    'worn'
    """
    events = tuple(events)
    answers, last = standing(events, resolve), settlements(events, resolve)
    into = merges(events)
    found = {id: settle(answers.get(id, ()), last.get(id), into) for id in {**answers, **last}}
    return {id: settled for id, settled in found.items() if settled}


def settle(
    answers: Iterable[Event], settlement: Event | None, into: Mapping[str, str]
) -> Settled | None:
    """Settle one image; None if nobody named a class.

    Args:
        answers: The answers that count on it, see `standing`.
        settlement: The decision above the votes, see `settlements`.
        into: The class that each merged class became.
    """
    votes = {
        event.by: into.get(event.label, event.label)
        for event in counted(answers)
        if event.label is not None and event.label not in NOT_CLASSES
    }
    if settlement is not None and settlement.label is not None:
        label = into.get(settlement.label, settlement.label)
        return Settled(label, votes, conflict=False, by=settlement.by)
    return _majority(votes) if votes else None


def counted(answers: Iterable[Event]) -> list[Event]:
    """Return the answers of people, or the imports where no person answered."""
    answers = list(answers)
    return [event for event in answers if event.kind != "import"] or answers


def settlements(events: Iterable[Event], resolve: Resolve | None = None) -> dict[SampleId, Event]:
    """Return the last `settle` of each image that was not undone."""
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
    """Return the images with any answer, which are therefore not in the pool."""
    events = tuple(events)
    return {*standing(events, resolve), *settlements(events, resolve)}


def merges(events: Iterable[Event]) -> dict[str, str]:
    """Return the class that each merged class became; a chain of merges leads to its end.

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


def taken_back(events: Iterable[Event]) -> set[str]:
    """Return the uuids that undos take back, whether or not their events are there yet.

    An undo may itself be undone, and then what it took back counts again. Anyone may undo anyone's
    event. The order of events does not matter, because deliveries may overtake each other; undos
    that take back one another in a ring take back nothing.

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


def _majority(votes: dict[str, str]) -> Settled:
    counts = Counter(votes.values())
    most = max(counts.values())
    leading = {label for label, count in counts.items() if count == most}
    last = [label for label in votes.values() if label in leading][-1]
    return Settled(last, votes, conflict=len(leading) > 1)
