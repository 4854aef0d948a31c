"""Import answers from elsewhere, each of them once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId, answer_uuid
from alvision.labels.consensus import Resolve, standing
from alvision.labels.content import image_of, resolver
from alvision.labels.store import LabelStore


@dataclass(frozen=True)
class ImportedAnswer:
    """Hold an answer from elsewhere: a class, `skip` or `unsure`, and when it was said there."""

    label: str
    time: str | None = None


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
) -> ImportCounts:
    """Import answers in one transaction; those that count already add nothing.

    Raises:
        UserError: Somebody gave exact copies different classes; nothing is imported.
    """
    events = _imports(answers, store.events(), resolver(ids, hashes))
    store.append(events, hash_of=hashes.get)
    return ImportCounts(len(events), len(answers) - len(events), blank)


def id_of(cell: str, ids: frozenset[SampleId]) -> SampleId | None:
    r"""Return the image that a path names; spaces around it, `\` and `./` do not matter."""
    tidy = unicodedata.normalize("NFC", cell.strip().replace("\\", "/")).removeprefix("./")
    return next((id for id in (cell, tidy) if id in ids), None)


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


def _imports(answers: ImportedAnswers, log: Sequence[Event], resolve: Resolve) -> list[Event]:
    """Return the imports that must be added to the log so that these answers count.

    Exact copies are one image: what was said of one of them was said of all.
    """
    counting = {
        (id, event.by): event.label
        for id, on_image in standing(log, resolve).items()
        for event in on_image
        if event.kind == "import"
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
    return [
        Event(
            id=id,
            kind="import",
            label=answer.label,
            by=by,
            round=0,
            uuid=answer_uuid("import", earlier[id, by], id, by, "import", answer.label),
            time=answer.time,
        )
        for (image, by), (id, answer) in wanted.items()
        if counting.get((image, by)) != answer.label
    ]
