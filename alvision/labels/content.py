"""Match names of the past to images: what was said or asked belongs to bytes, not to a name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from alvision.core.records import Event, Locate, Query, QueryRow, SampleId
from alvision.labels.consensus import Resolve, standing


def locator(ids: Iterable[SampleId], hashes: Mapping[SampleId, str]) -> Locate:
    """Return a function that finds the image of today by the id and the sha256 that it had.

    It is the image's own id while that file has the same bytes, else the lowest id that has them,
    so a moved or renamed file keeps its labels. If no image has them, the image was replaced or
    removed, and there is none. Where bytes cannot be compared because one of the two has no hash,
    the id decides.

    Args:
        ids: The images of today.
        hashes: Their sha256, without images that have none (an unreadable file).

    >>> locate = locator(["new.png"], {"new.png": "f00d"})
    >>> locate("old.png", "f00d"), locate("new.png", "bad"), locate("new.png", None)
    ('new.png', None, 'new.png')
    """
    known = set(ids)
    lowest: dict[str, SampleId] = {}
    for id in sorted(known & hashes.keys(), reverse=True):
        lowest[hashes[id]] = id

    def locate(id: SampleId, sha256: str | None) -> SampleId | None:
        own = id if id in known else None
        if sha256 is None or (own and hashes.get(own) == sha256):
            return own
        if sha256 in lowest:
            return lowest[sha256]
        return own if own and own not in hashes else None

    return locate


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


def located(query: Query, locate: Locate) -> Query:
    """Return a query under the ids of today; rows whose image was replaced or removed are left out.

    >>> from alvision.core.records import QueryRow
    >>> asked = Query(1, (QueryRow("old.png", 0, sha256="f00d"), QueryRow("gone.png", 1)))
    >>> located(asked, locator(["new.png"], {"new.png": "f00d"})).ids
    ('new.png',)
    """
    rows: dict[SampleId, QueryRow] = {}
    for row in query.rows:
        id = locate(row.id, row.sha256)
        if id is not None:  # two copies may have become one
            rows.setdefault(id, replace(row, id=id))
    return replace(query, rows=tuple(rows.values()))


@dataclass(frozen=True)
class Moves:
    """Count what has become of images since their bytes were recorded.

    Attributes:
        moved: They are there under another id.
        replaced: Their id has other bytes now.
        gone: Neither their id nor their bytes are there.
        added: They are new.
    """

    moved: int = 0
    replaced: int = 0
    gone: int = 0
    added: int = 0

    def __str__(self) -> str:
        """Say it in one line; empty where nothing has changed.

        >>> str(Moves(moved=1))
        '1 photograph was moved and keeps its answers'
        """
        said = (
            (self.moved, "was moved and keeps its answers", "were moved and keep their answers"),
            (self.replaced, "was replaced and is asked again", "were replaced and are asked again"),
            (self.gone, "is gone, its answers are kept", "are gone, their answers are kept"),
            (self.added, "is new and joins the next round", "are new and join the next round"),
        )
        return "; ".join(
            f"{count} photograph{'s' if count > 1 else ''} {many if count > 1 else one}"
            for count, one, many in said
            if count
        )


def moves(
    before: Iterable[tuple[SampleId, str]],
    ids: Iterable[SampleId],
    hashes: Mapping[SampleId, str],
    *,
    answered: Collection[SampleId] = (),
) -> Moves:
    """Count what has become of images; none of them is `added`.

    Args:
        before: Ids and the sha256 that they had; pairs that occur twice count once.
        ids: The images of today.
        hashes: Their sha256.
        answered: Images that have an answer as they are now, and are not asked again.
    """
    known, contents = set(ids), set(hashes.values())
    lost = [(id, sha) for id, sha in set(before) if id not in known or hashes.get(id, sha) != sha]
    moved = {sha for _, sha in lost if sha in contents}
    others = {id for id, sha in lost if sha not in contents}
    return Moves(len(moved), len((others & known) - set(answered)), len(others - known))


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
