"""Match events to images: a label belongs to an image's bytes, not to its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alvision.core.records import Event, SampleId
from alvision.labels.consensus import Resolve, standing


def resolver(
    ids: Iterable[SampleId],
    hashes: Mapping[SampleId, str],
    *,
    pool: Iterable[SampleId] = (),
) -> Resolve:
    """Return a function that finds the image of today that an event is about.

    Exact copies are one image: an event about any of them counts for the lowest id with its bytes,
    so they share their votes and have one class. A moved or renamed file keeps its labels in the
    same way. If no image has the bytes, the image was replaced or removed, and the event counts for
    none. Where bytes cannot be compared because the event or the image has no hash, the id decides.

    Args:
        ids: The images of today.
        hashes: Their sha256, without images that have none (an embedding, an unreadable file).
        pool: Images that may be trained on. If one of them has a held-out copy, it speaks for both:
            what a model may have learned by heart must not measure it.

    >>> resolve = resolver(["new.png"], {"new.png": "f00d"})
    >>> resolve(Event("old.png", "label", "ok", "me", 0, "1", sha256="f00d"))
    'new.png'
    """
    known, trainable = set(ids), set(pool)
    first: dict[str, SampleId] = {}
    for id in sorted(known & hashes.keys(), key=lambda id: (id not in trainable, id), reverse=True):
        first[hashes[id]] = id

    def resolve(event: Event) -> SampleId | None:
        content = event.sha256 or (hashes.get(event.id) if event.id in known else None)
        if content in first:
            return first[content]
        # No image has these bytes; one that cannot be hashed may still be meant by its id.
        return event.id if event.id in known and event.id not in hashes else None

    return resolve


def image_of(id: SampleId, resolve: Resolve) -> SampleId:
    """Return the image that stands for all exact copies of this one."""
    return resolve(Event(id, "skip", None, "", 0, "")) or id


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
