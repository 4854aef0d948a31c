"""The tables of a label store, and which fields an event of each kind has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sql

from alvision.core.errors import UserError
from alvision.core.records import Answer, Event, SampleId

METADATA = sql.MetaData()
EVENTS = sql.Table(
    "events",
    METADATA,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("uuid", sql.Text, nullable=False, unique=True),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("id", sql.Text, nullable=False),
    sql.Column("label", sql.Text),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("round", sql.Integer, nullable=False),
    sql.Column("seconds", sql.Float),
    sql.Column("target", sql.Text),
    sql.Column("sha256", sql.Text),
    sql.Column("note", sql.Text),
    sql.Column("book", sql.Integer),
    sql.Column("time", sql.Text),
)
"""The log; rows are only ever added."""
ADDED = {"events": ("time",)}
"""Columns at the end of a table that stores of earlier versions lack. The first transaction that
writes adds them; until then they read as empty, so that a copy on a read-only disk can be read."""
PRESENCE = sql.Table(
    "presence",
    METADATA,
    sql.Column("by", sql.Text, primary_key=True),
    sql.Column("seen", sql.Float, nullable=False),
)
"""When each person was last seen, in seconds since 1970."""
LEASES = sql.Table(
    "leases",
    METADATA,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("by", sql.Text, primary_key=True),
    sql.Column("until", sql.Float, nullable=False),
)
"""Who has which image on screen, and until when nobody else gets it."""

# The fields that an event of each kind must fill; the others it must leave empty.
_FIELDS = {
    "label": {"label"},
    "skip": set(),
    "unsure": set(),
    "undo": {"target"},
    "import": {"label"},
    "settle": {"label"},
    "flag": set(),
    "box": {"target"},
    "close": set(),
    "add": {"label"},
    "rename": {"label", "target"},
    "merge": {"label", "target"},
    "mark": {"label"},
    "book": {"label"},
    "groups": {"target"},
}


def contradiction(kind: str, label: str | None, target: str | None) -> str | None:
    """Return what is wrong with an event's fields; None if they fit its kind.

    >>> contradiction("undo", None, "a uuid"), contradiction("skip", "ok", None)
    (None, "a skip event with label 'ok'")
    """
    if kind not in _FIELDS:
        return f"unknown kind of event: {kind!r}"
    for name, value in (("label", label), ("target", target)):
        if (name in _FIELDS[kind]) != bool(value):
            return f"a {kind} event with {name} {value!r}"
    return None


def row_of(event: Answer, hash_of: Callable[[SampleId], str | None]) -> dict[str, Any]:
    """Return an event as a row of the table, without its number.

    Raises:
        ValueError: It contradicts its kind.
        UserError: A text holds the NUL character, which databases do not store.
    """
    full = event if isinstance(event, Event) else Event(**vars(event))
    if wrong := contradiction(full.kind, full.label, full.target):
        raise ValueError(wrong)
    names = (column.name for column in EVENTS.columns)
    row = {name: getattr(full, name) for name in names if name != "number"}
    if full.id and not full.sha256:
        row["sha256"] = hash_of(full.id)
    for name, value in row.items():
        if isinstance(value, str) and "\x00" in value:
            raise UserError(f"{name} {value!r} holds the character NUL: remove it")
    return row
