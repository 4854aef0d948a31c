"""What values a key of the schema may have, written on its field, and the refusal of no key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import isfinite
from typing import Any

from alvision.core.doors import is_node
from alvision.core.errors import UserError

LIMIT = "limit"
"""The entry of a field's metadata that holds its limit."""


class UnknownKey(UserError):
    """No key of a run has this name; a command that has options of its own may know better.

    Attributes:
        key: The name.
        near: Keys of a run that look like it.
    """

    def __init__(self, key: str, near: Iterable[str] = ()) -> None:
        """Say it as `alvision run` does."""
        self.key, self.near = key, tuple(near)
        super().__init__(self.of("run"))

    def of(self, command: str, options: Iterable[str] = ()) -> str:
        """Return the message for a command.

        Args:
            command: Its name, for the help that lists its words.
            options: The names of its own options.

        >>> UnknownKey("frm").of("labels", ["form", "to"])
        'unknown key frm; did you mean form? (`alvision labels --help` lists all keys)'
        """
        own = difflib.get_close_matches(self.key, list(options), n=1, cutoff=0.5)
        return (
            f"unknown key {self.key}{did_you_mean([*own, *self.near])} "
            f"(`alvision {command} --help` lists all keys)"
        )


def did_you_mean(names: list[str]) -> str:
    """Return the end of a refusal that offers the two nearest names; empty without any."""
    return f"; did you mean {' or '.join(names[:2])}?" if names else ""


@dataclass(frozen=True)
class Choice:
    """A name out of a list.

    Attributes:
        names: The list.
        or_own: A part of the user's own will do too: a mapping with `_target_`.
    """

    names: tuple[str, ...]
    or_own: bool = False

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value; None if nothing is."""
        if self.or_own and is_node(value):
            return None
        return None if value in self.names else f"is unknown; one of: {', '.join(self.names)}"


@dataclass(frozen=True)
class Range:
    """A finite number between limits; None sets no limit."""

    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    at_most: float | None = None

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value; None if nothing is."""
        limits = [
            (f"at least {self.at_least}", self.at_least is None or value >= self.at_least),
            (f"above {self.above}", self.above is None or value > self.above),
            (f"below {self.below}", self.below is None or value < self.below),
            (f"at most {self.at_most}", self.at_most is None or value <= self.at_most),
        ]
        if isfinite(value) and all(kept for _, kept in limits):
            return None
        given = (self.at_least, self.above, self.below, self.at_most)
        wanted = [text for (text, _), limit in zip(limits, given, strict=True) if limit is not None]
        return f"must be {' and '.join(wanted)}"


def choice(*names: str) -> Mapping[str, Choice]:
    """Return a field's metadata: one of these names."""
    return {LIMIT: Choice(names)}


def choice_or_own(*names: str) -> Mapping[str, Choice]:
    """Return a field's metadata: one of these names, or a part of the user's own."""
    return {LIMIT: Choice(names, or_own=True)}


def at_least(least: float) -> Mapping[str, Range]:
    """Return a field's metadata: a number from `least` on."""
    return {LIMIT: Range(at_least=least)}


def above(limit: float) -> Mapping[str, Range]:
    """Return a field's metadata: a number above `limit`."""
    return {LIMIT: Range(above=limit)}


def between(
    *, at_least: float | None = None, above: float | None = None,
    below: float | None = None, at_most: float | None = None,
) -> Mapping[str, Range]:  # fmt: skip
    """Return a field's metadata: a number between two limits."""
    return {LIMIT: Range(at_least, above, below, at_most)}


def check_limits(part: Any, prefix: str = "") -> None:
    """Check every value of a dataclass of the schema against its field; None is always allowed.

    Args:
        part: The whole configuration, or a part of it.
        prefix: The part's key and a dot, for the message.

    Raises:
        UserError: Naming the first key whose value is not allowed.

    >>> from alvision.config.schema import ModelConfig
    >>> check_limits(ModelConfig(passes=0), "model.")
    Traceback (most recent call last):
    alvision.core.errors.UserError: model.passes=0 must be at least 1
    """
    for key, value, limit in _limited(part, prefix):
        if value is not None and (problem := limit.problem(value)):
            raise UserError(f"{key}={value} {problem}")


def _limited(part: Any, prefix: str) -> Iterator[tuple[str, Any, Choice | Range]]:
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _limited(value, f"{prefix}{field.name}.")
        elif value == field.default:
            continue  # a default is allowed, and the list of a choice may cost an import
        elif LIMIT in field.metadata:
            yield prefix + field.name, value, field.metadata[LIMIT]
