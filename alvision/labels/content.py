"""Match events to images: a label belongs to an image's bytes, not to its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alvision.core.records import Event, SampleId
from alvision.labels.consensus import Resolve, standing


def resolver(ids: Iterable[SampleId], hashes: Mapping[SampleId, str]) -> Resolve:
    """Return a function that finds the image of today that an event is about.

    An event counts for its own id while that file has the same bytes, else for the lowest id that
    has them, so a moved or renamed file keeps its labels. If no image has them, the image was
    replaced or removed, and the event counts for none. Where bytes cannot be compared because the
    event or the image has no hash, the id decides.

    Args:
        ids: The images of today.
        hashes: Their sha256, without images that have none (an embedding, an unreadable file).

    >>> resolve = resolver(["new.png"], {"new.png": "f00d"})
    >>> resolve(Event("old.png", "label", "ok", "me", 0, "1", sha256="f00d"))
    'new.png'
    """
    known = set(ids)
    lowest: dict[str, SampleId] = {}
    for id in sorted(known & hashes.keys(), reverse=True):
        lowest[hashes[id]] = id

    def resolve(event: Event) -> SampleId | None:
        own = event.id if event.id in known else None
        if event.sha256 is None or (own and hashes.get(own) == event.sha256):
            return own
        if event.sha256 in lowest:
            return lowest[event.sha256]
        return own if own and own not in hashes else None

    return resolve


def changed(
    events: Iterable[Event], ids: Iterable[SampleId], hashes: Mapping[SampleId, str]
) -> list[SampleId]:
    """Return the images whose bytes have changed since they were labelled.

    They are back in the pool: their answers belong to bytes that no image has any more.
    """
    events, known = tuple(events), set(ids)
    resolve = resolver(known, hashes)
    lost = {
        id
        for id, answers in standing(events).items()
        if id in known and any(resolve(event) is None for event in answers)
    }
    return sorted(lost - standing(events, resolve).keys())
