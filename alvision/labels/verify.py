"""Check that a label store is sound and fits the data of today."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from alvision.core.records import NOT_CLASSES, Event, SampleId
from alvision.labels.consensus import consensus, merges, settlements, standing
from alvision.labels.content import changed, resolver
from alvision.labels.store import LabelStore

_SHOWN = 5


def verify(
    store: LabelStore,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    classes: Sequence[str],
) -> list[str]:
    """Return the problems of a store, one line each; nothing if it is sound.

    Checks the database file itself, gaps in the numbering, undos of events that never came, labels
    and merges that do not name a class, images that are missing or whose bytes changed, and tied
    votes.

    Args:
        store: The store.
        ids: The images of today.
        hashes: Their sha256.
        classes: The class names.
    """
    problems = [f"the database file is damaged: {line}" for line in store.integrity()]
    events = store.events()
    images, resolve = frozenset(ids), resolver(ids, hashes)
    names = {*classes, *NOT_CLASSES}
    uuids = {event.uuid for event in events}
    counting = [event for answers in standing(events).values() for event in answers]
    counting += settlements(events).values()
    gone = {event.id for event in counting if event.id not in images and resolve(event) is None}
    tied = [id for id, settled in consensus(events, resolve).items() if settled.conflict]
    findings = {
        "numbers are missing in the log, before": _gaps(events),
        "undo events name an event that is not there": [
            str(event.number)
            for event in events
            if event.kind == "undo" and event.target not in uuids
        ],
        "labels are not a class of the configuration": sorted(
            {event.label for event in counting if event.label and event.label not in names}
        ),
        "classes were merged into one that is not there": sorted(
            source for source, target in merges(events).items() if target not in names
        ),
        "labelled images are not in the data": sorted(gone),
        "images changed since they were labelled, and are asked again": changed(
            events, images, hashes
        ),
        "images have tied votes": sorted(tied),
    }
    return problems + [_line(text, found) for text, found in findings.items() if found]


def _gaps(events: Sequence[Event]) -> list[str]:
    before = [0, *(event.number for event in events)]
    return [
        str(event.number)
        for event, previous in zip(events, before, strict=False)
        if event.number != previous + 1
    ]


def _line(text: str, found: Sequence[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{len(found)} {text}: {', '.join(found[:_SHOWN])}{more}"
