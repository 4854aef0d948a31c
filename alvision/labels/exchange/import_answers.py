"""Labels from elsewhere, as words that are imported once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.records import Event, SampleId, answer_uuid
from alvision.labels.consensus import Resolve, standing
from alvision.labels.content import resolver
from alvision.labels.store import LabelStore

Words = Mapping[tuple[SampleId, str], str]
"""What each person (or table) says of each image: a class, `skip` or `unsure`."""
_SHOWN = 3


@dataclass(frozen=True)
class ImportCounts:
    """What an import did: events added, what the store knew, what had no label."""

    added: int
    known: int
    blank: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.known} known already, {self.blank} without a label"


def import_answers(
    store: LabelStore,
    words: Words,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    blank: int = 0,
) -> ImportCounts:
    """Import words in one transaction; those that stand already add nothing."""
    events = _imports(words, store.events(), resolver(ids, hashes))
    store.append(events, hash_of=hashes.get)
    return ImportCounts(len(events), len(words) - len(events), blank)


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


def _imports(words: Words, log: Sequence[Event], resolve: Resolve) -> list[Event]:
    """Return the imports that must be added to the log for these words to stand."""
    stand = {
        (id, event.by): event.label
        for id, said in standing(log, resolve).items()
        for event in said
        if event.kind == "import"
    }
    # The count of earlier imports makes the name of a word that comes back (ok, worn, ok) new.
    earlier = Counter((event.id, event.by) for event in log if event.kind == "import")
    return [
        Event(
            id=id,
            kind="import",
            label=word,
            by=by,
            round=0,
            uuid=answer_uuid("import", earlier[id, by], id, by, "import", word),
        )
        for (id, by), word in words.items()
        if stand.get((id, by)) != word
    ]
