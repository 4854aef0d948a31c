"""JSON files of other tools: each value knows its place in the file, and a refusal names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from alvision.core.errors import UserError

Value = TypeVar("Value")
_WORDS: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


@dataclass(frozen=True)
class Node:
    """A value of a JSON file.

    Attributes:
        file: The file.
        place: Where the value stands, like `annotations[3].category_id`; empty: the whole file.
        value: The value.
    """

    file: Path
    place: str
    value: Any

    def __getitem__(self, key: str) -> Node:
        """Return the value under a key of an object, None where the key is missing."""
        place = f"{self.place}.{key}" if self.place else key
        return Node(self.file, place, self.as_(dict).get(key))

    def __iter__(self) -> Iterator[Node]:
        """Return the values of a list."""
        for number, value in enumerate(self.as_(list)):
            yield Node(self.file, f"{self.place}[{number}]", value)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Return the keys and values of an object."""
        for key in self.as_(dict):
            yield key, self[key]

    def as_(self, kind: type[Value]) -> Value:
        """Return the value, which must be an object (`dict`), a list or text.

        Raises:
            UserError: It is something else, or missing.
        """
        if isinstance(self.value, kind):
            return self.value
        if self.value is None:
            raise self.wrong("is missing")
        raise self.wrong(f"is {shown(self.value)} and not {_WORDS[kind]}")

    def key(self) -> int | str:
        """Return the value, which must be a number or text that names something.

        Raises:
            UserError: It is neither, or missing.
        """
        if isinstance(self.value, int | str) and not isinstance(self.value, bool):
            return self.value
        if self.value is None:
            raise self.wrong("is missing")
        raise self.wrong(f"is {shown(self.value)} and not a number or text")

    def wrong(self, problem: str) -> UserError:
        """Return the refusal of this value."""
        return UserError(f"{self.where}: {problem}; nothing was imported")

    @property
    def where(self) -> str:
        """Return the file and the place, for a sentence."""
        return f"{self.file}, {self.place}" if self.place else str(self.file)


def read_json(path: Path) -> Node:
    """Read a JSON file.

    Raises:
        UserError: It cannot be read, is not whole, or an object has a key twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return Node(path, "", json.loads(text, object_pairs_hook=_once))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8: export it again") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: not whole JSON ({error.msg}): export it again"
        ) from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply to be labels: export it again") from error
    except _Repeated as error:
        raise UserError(
            f"{path}: the key {error.key!r} is in one object twice: keep one; nothing was imported"
        ) from None


def shown(value: object) -> str:
    """Return a value as a refusal shows it, cut to one short line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


class _Repeated(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Repeated(key)
        found[key] = value
    return found
