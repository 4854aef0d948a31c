"""Import answers from elsewhere, each of them once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from alvision.core.errors import UserError
from alvision.core.records import NOT_CLASSES, Event, EventKind, SampleId, answer_uuid
from alvision.core.utc import now
from alvision.labels.boxes import Box
from alvision.labels.consensus import Resolve, standing
from alvision.labels.content import image_of, resolver
from alvision.labels.store import LabelStore


@dataclass(frozen=True)
class ImportedAnswer:
    """Hold an answer from elsewhere: a class, `skip` or `unsure`, when, and its boxes there."""

    label: str
    time: str | None = None
    boxes: tuple[Box, ...] = ()


ImportedAnswers = Mapping[tuple[SampleId, str], ImportedAnswer]
"""The answer of each person (or table) on each image."""
_SHOWN = 3


@dataclass(frozen=True)
class ImportCounts:
    """Count what an import did: events added, answers that the store had, rows without a label."""

    added: int
    known: int
    blank: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.known} known already, {self.blank} without a label"


def import_answers(
    store: LabelStore,
    answers: ImportedAnswers,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    blank: int = 0,
    asked: Mapping[SampleId, int] | None = None,
) -> ImportCounts:
    """Import answers in one transaction; those that count already add nothing.

    Args:
        store: The store to add to.
        answers: The answer of each person on each image.
        ids: The images of today.
        hashes: Their sha256.
        blank: Entries that had no label, for the counts.
        asked: The round that asks for an image. An answer to it is a person's vote in that round,
            which may wait for it; the answers to all other images are imports.

    Raises:
        UserError: Somebody gave exact copies different classes; nothing is imported.
    """
    resolve = resolver(ids, hashes)
    rounds = {image_of(id, resolve): number for id, number in (asked or {}).items()}
    events = _events(answers, store.events(), resolve, rounds)
    store.append(events, hash_of=hashes.get)
    added = sum(event.kind != "box" for event in events)
    return ImportCounts(added, len(answers) - added, blank)


def id_of(cell: str, ids: frozenset[SampleId]) -> SampleId | None:
    r"""Return the image that a path names; spaces around it, `\` and `./` do not matter."""
    tidy = unicodedata.normalize("NFC", cell.strip().replace("\\", "/")).removeprefix("./")
    return next((id for id in (cell, tidy) if id in ids), None)


def neutral_name(sha256: str) -> str:
    """Return the name, without suffix, of a copy for another tool: it does not reveal the class."""
    return sha256[:16]


def refuse_unknown(path: Path, unknown: Sequence[str]) -> None:
    """Refuse an import that names images which are not in the data.

    Raises:
        UserError: There is one.
    """
    if unknown:
        first = ", ".join(map(repr, unknown[:_SHOWN]))
        raise UserError(
            f"{path}: {len(unknown)} rows name images that data.root does not hold"
            f" (first: {first}); nothing was imported: correct or remove these rows"
        )


def _events(
    answers: ImportedAnswers,
    log: Sequence[Event],
    resolve: Resolve,
    rounds: Mapping[SampleId, int],
) -> list[Event]:
    """Return the events that must be added to the log so that these answers count.

    Exact copies are one image: what was said of one of them was said of all.
    """
    counting = {
        (id, event.by, event.kind == "import"): event
        for id, on_image in standing(log, resolve).items()
        for event in on_image
    }
    wanted: dict[tuple[SampleId, str], tuple[SampleId, ImportedAnswer]] = {}
    for (id, by), answer in answers.items():
        copy, first = wanted.setdefault((image_of(id, resolve), by), (id, answer))
        if first.label != answer.label:
            raise UserError(
                f"{copy} and {id} are the same picture, but {by} calls one {first.label!r} and the"
                f" other {answer.label!r}: keep one; nothing was imported"
            )
    # An answer that comes back (ok, worn, ok) needs a uuid of its own: the count makes it so.
    earlier = Counter((event.id, event.by) for event in log if event.kind == "import")
    votes = Counter((event.id, event.by) for event in log if event.kind != "import")
    logged = {event.uuid for event in log}
    events: list[Event] = []
    for (image, by), (id, answer) in wanted.items():
        known = counting.get((image, by, image not in rounds))
        if known and (known.label or known.kind) == answer.label:
            # Its class may have come before its boxes, from another file.
            drawn = (_box(known, box) for box in answer.boxes)
            events += [box for box in drawn if box.uuid not in logged]
            continue
        if image in rounds:
            said = _vote(id, by, answer, rounds[image], votes[id, by])
        else:
            said = _import(id, by, answer, earlier[id, by])
        events += [said, *(_box(said, box) for box in answer.boxes)]
    return events


def _box(answer: Event, box: Box) -> Event:
    id, by, round = answer.id, answer.by, answer.round
    uuid = answer_uuid(answer.uuid, round, id, by, "box", box.note)
    return Event(
        id, "box", None, by, round, uuid, target=answer.uuid, note=box.note, time=answer.time
    )


def _import(id: SampleId, by: str, answer: ImportedAnswer, nth: int) -> Event:
    uuid = answer_uuid("import", nth, id, by, "import", answer.label)
    return Event(id, "import", answer.label, by, 0, uuid, time=answer.time)


def _vote(id: SampleId, by: str, answer: ImportedAnswer, round: int, nth: int) -> Event:
    kind: EventKind = "label"
    if answer.label in NOT_CLASSES:
        kind = cast(EventKind, answer.label)
    label = answer.label if kind == "label" else None
    uuid = answer_uuid(f"imported vote {nth}", round, id, by, kind, label)
    return Event(id, kind, label, by, round, uuid, time=answer.time or now())
