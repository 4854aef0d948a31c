"""What a browser sends: the body of each POST, checked before anything is done with it."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Refused(Exception):
    """Refuse a request with one line for the person.

    Attributes:
        status: The status of the HTTP answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _name(text: str) -> str:
    text = unicodedata.normalize("NFC", text.strip())
    if not text or any(unicodedata.category(mark)[0] == "C" for mark in text):
        raise ValueError("a name is empty or holds a character that cannot be seen")
    return text


def _uuid(text: str) -> str:
    return str(uuid.UUID(text))


def _note(text: str) -> str:
    if any(unicodedata.category(mark) in ("Cc", "Cs") and mark not in "\n\t" for mark in text):
        raise ValueError("a note holds a character that cannot be seen")
    return text


# The limits keep a body within `guard.LARGEST_BODY` and a name within one line of the page.
Name = Annotated[str, Field(max_length=80), AfterValidator(_name)]
Uuid = Annotated[str, Field(max_length=40), AfterValidator(_uuid)]
Note = Annotated[str, Field(max_length=2000), AfterValidator(_note)]
Rule = Annotated[str, Field(max_length=4000), AfterValidator(_note)]
Address = Annotated[str, Field(max_length=64)]
Sha256 = Annotated[
    str,
    Field(pattern="^[0-9a-f]{64}$", description="The `sha256` of the picture that was seen."),
]
Addresses = Annotated[list[Address], Field(max_length=24)]


LONGEST_WAIT = 366 * 86400.0
"""Seconds that an answer may have waited in a browser."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    by: Name


class SubmittedEvent(BaseModel):
    """Submit one answer, undo or flag; the uuid makes sending it again harmless."""

    model_config = ConfigDict(extra="ignore", strict=True)

    uuid: Uuid
    kind: Literal["label", "skip", "unsure", "undo", "flag", "box"]
    id: Address | None = None
    sha256: Sha256 | None = None
    label: Name | None = None
    target: Uuid | None = None
    note: Note | None = None
    seconds: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)] | None = None
    # How long it waited in the browser, whose clock may be wrong: the server's says when that was.
    seconds_ago: Annotated[float, Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 0.0
    round: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    book_version: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    # Names the grid that it was one answer of; the event's note says so for ever.
    grid: Uuid | None = None


class Submission(_Body):
    """Submit the events of one person."""

    events: Annotated[list[SubmittedEvent], Field(max_length=200)]


class BookEdit(_Body):
    """Write the entry of one class in the label book."""

    uuid: Uuid
    base: Annotated[int, Field(ge=0, description="The version of the book that it was made from.")]
    name: Name
    rule: Rule = ""
    example: Addresses = []
    counter: Addresses = []
    borderline: Addresses = []


class Settlement(_Body):
    """Give an image in conflict its class."""

    uuid: Uuid
    id: Address
    label: Name
    sha256: Sha256 | None = None


class ClassChange(_Body):
    """Add a class, show it under another name, merge it into another, or mark it as a defect."""

    uuid: Uuid
    action: Literal["add", "rename", "merge", "mark"]
    name: Name
    to: Name | None = None
    defect: bool = False


class CloseBatch(_Body):
    """End the batch that is being asked."""

    uuid: Uuid


class FirstClasses(_Body):
    """Name the first classes, which of them are defects, and which photographs belong together."""

    classes: Annotated[list[Name], Field(min_length=2, max_length=200)]
    defects: Annotated[list[Name], Field(max_length=200)] = []
    group_by: Literal["none", "parent", "pattern", "capture_time"] | None = None
    pattern: Annotated[str, Field(max_length=200)] | None = None
