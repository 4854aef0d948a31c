"""The vocabulary of the loop: what is asked, what is answered, what is recorded. No torch here."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

SampleId = str
"""An image's path relative to the data root, with `/` and in NFC; stable across runs."""

Locate = Callable[[SampleId, str | None], SampleId | None]
"""Finds the image of today by the id and the sha256 that it had; None where there is none."""

AnswerKind = Literal["label", "skip", "unsure"]
EventKind = Literal[
    "label", "skip", "unsure", "undo", "import",
    "box", "settle", "flag", "close", "add", "rename", "merge", "mark", "book", "groups",
]  # fmt: skip
NOT_CLASSES = ("skip", "unsure")
"""Words that answer without a class, so no class may be called so."""
AGAIN = ("gold", "relabel")
"""Slots of images that were answered before and are asked once more."""
SECONDS_PER_LABEL = 3.0
"""Time for one answer of a practised person with one key an image."""


@dataclass(frozen=True)
class QueryRow:
    """One image that is asked for.

    Attributes:
        id: The image.
        rank: Place in the batch, from 0.
        score: What the strategy gave it; higher is more worth labelling. None where none is given.
        slot: Who chose it: `cold_start`, `acquisition`, `audit`, `control`, one of `AGAIN`, or a
            strategy's own slot name.
        propensity: Probability of this draw given the earlier ones; None for a deterministic slot.
        prediction: The class that the model expects, by name; None before there is a model.
        reason: Why it was chosen, in words.
        sha256: Hash of the bytes that it had then; None in files of older versions.
    """

    id: SampleId
    rank: int
    score: float | None = None
    slot: str = "acquisition"
    propensity: float | None = None
    prediction: str | None = None
    reason: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Query:
    """The images that one round asks for; may be empty."""

    round: int
    rows: tuple[QueryRow, ...] = ()

    @property
    def ids(self) -> tuple[SampleId, ...]:
        """Return the images in rank order."""
        return tuple(row.id for row in self.rows)


@dataclass(frozen=True)
class Answer:
    """Record what one person (or the simulated oracle) answered about one image.

    Attributes:
        id: The image.
        kind: `label`, `skip` or `unsure`.
        label: The class by name, where one is meant.
        by: Who said it.
        round: The round whose query it answers.
        uuid: Makes a repeated delivery harmless.
        seconds: Time spent on it, where known.
    """

    id: SampleId
    kind: EventKind
    label: str | None
    by: str
    round: int
    uuid: str
    seconds: float | None = None


@dataclass(frozen=True)
class Event(Answer):
    """Record an answer, or something else that was said or done; the store keeps these.

    Kinds beside the answers'. About an image: `import` (a label from elsewhere), `settle` (a class
    that ends a dispute), `flag` (look at this one), `box` (roughly where the defect is, drawn with
    an answer). About a round: `close` (train now, its rows that are not answered return to the
    pool). About a class, whose configured name is its key for ever: `add`, `rename` (of the shown
    name), `merge`, `mark` (it is a defect, or none), `book` (an entry of the label book). About the
    data: `groups` (the rule for which images belong together). And `undo`. The `id` is empty where
    no image is meant.

    Attributes:
        number: Its place in the log: gapless, from 1, in commit order.
        target: The uuid that an undo takes back, or of the answer that a box belongs to; the name
            that a rename shows, the class that a merge goes into, or the way to group.
        sha256: Hash of the image's bytes, so that a moved file keeps its labels.
        note: A remark in words; for `book` the entry, for `groups` the pattern,
            for `box` its `x,y,width,height` in pixels of the upright photograph.
        book: Version of the label book that an answer was given under.
        time: When it was said, see `core.utc`; None where nobody knows: a simulated answer, a table
            without times, a log of an earlier version.
    """

    number: int = 0
    target: str | None = None
    sha256: str | None = None
    note: str | None = None
    book: int | None = None
    time: str | None = None


@dataclass(frozen=True)
class Answers:
    """A slice of the event log: everything after `since` up to `pin`."""

    events: tuple[Event, ...]
    pin: int


class Oracle(Protocol):
    """Answer queries: from the truth, a file that people fill in, or a page."""

    def __call__(self, query: Query) -> list[Answer]:
        """Answer a query; raise AwaitingLabels while people are not done."""
        ...


class AwaitingLabels(Exception):
    """People have not answered everything yet. Not an error: the command ends with status 0."""


_NAMESPACE = uuid.UUID("6f1d7f0e-6a0e-5c63-9c39-0d1d5f6b8a11")


def answer_uuid(run: str, round: int, id: SampleId, by: str, kind: str, label: str | None) -> str:
    """Name an answer by its content, so that giving it twice records it once.

    >>> answer_uuid("r", 0, "a.png", "me", "label", "ok") == answer_uuid(
    ...     "r", 0, "a.png", "me", "label", "ok")
    True
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join([run, str(round), id, by, kind, label or ""])))
