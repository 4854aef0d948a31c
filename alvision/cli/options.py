"""A command's own words, parsed once into a frozen dataclass whose fields also make its help.

    @dataclass(frozen=True, kw_only=True)
    class PredictOptions(Options):
        command = "predict"
        example = "alvision predict bundle=brakes.bundle images=incoming/"

        bundle: Path = option("The bundle that predicts.")
        keep: float = option("Share to keep.", default=0.5, limits=between(at_least=0, at_most=1))

`PredictOptions.parse(words)` checks every word. A command that also takes the keys of a run calls
`take`, and hands the words that are left to `config.compose`. No work of a command belongs here.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin, get_type_hints

from alvision.config.limits import LIMIT, Choice, Range
from alvision.core.errors import UserError
from alvision.core.uris import Place

Limit = Choice | Range
NO_LIMITS: Mapping[str, Limit] = MappingProxyType({})
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
DEBUG = "debug"
"""Every command takes it; `dispatch` reads it, because it must hold while words are parsed too."""


class Listed(NamedTuple):
    """One option as help shows it."""

    key: str
    default: str
    meaning: str


def option(
    meaning: str,
    *,
    key: str | None = None,
    default: Any = MISSING,
    limits: Mapping[str, Limit] = NO_LIMITS,
    shown: str | None = None,
) -> Any:
    """Describe an option of a command; it becomes a field of the command's dataclass.

    Args:
        meaning: One sentence for help and for refusals.
        key: The word before `=`; None: the field's name.
        default: The value where the word is absent; left out: the option is required.
        limits: What is allowed, from `alvision.config.limits`: `between(...)`, `choice(...)`.
        shown: The default in words, where the value itself says too little.
    """
    about = {"meaning": meaning, "key": key, "shown": shown}
    return field(default=default, metadata={**about, **limits})


class Options:
    """The base of every command's options.

    Attributes:
        command: What people type after `alvision`.
        example: A command line that works; a refusal of a missing option shows it.
    """

    command: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    def parse(cls, words: list[str]) -> Self:
        """Read all words of a command.

        Raises:
            UserError: A word is unknown, given twice or out of its range, or one is missing.
        """
        values, rest = cls._read(words)
        for word in rest:
            key, equals, value = word.partition("=")
            if key != DEBUG or not equals:
                raise UserError(cls._unknown(word))
            boolean(DEBUG, value)
        return cls._made(values)

    @classmethod
    def take(cls, words: list[str]) -> tuple[Self, list[str]]:
        """Read the command's own words and return the others, in their order.

        Raises:
            UserError: A word is given twice or out of its range, or one is missing.
        """
        values, rest = cls._read(words)
        return cls._made(values), rest

    @classmethod
    def listed(cls) -> list[Listed]:
        """Return every option with its default, for help."""
        return [_listed(entry) for entry in cls._fields()]

    @classmethod
    def option_keys(cls) -> list[str]:
        """Return the word before `=` of every option."""
        return [_key(entry) for entry in cls._fields()]

    @classmethod
    def _read(cls, words: list[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the values of the words that are the command's, by field, and the other words."""
        own = {_key(entry): entry for entry in cls._fields()}
        kinds = get_type_hints(cls)
        values: dict[str, Any] = {}
        rest = []
        for word in words:
            key, equals, text = word.partition("=")
            if not equals or key not in own:
                rest.append(word)
                continue
            entry = own[key]
            if entry.name in values:
                raise UserError(f"{key}= is given twice; give it once")
            values[entry.name] = _value(entry, kinds[entry.name], text)
        return {name: value for name, value in values.items() if value is not MISSING}, rest

    @classmethod
    def _made(cls, values: dict[str, Any]) -> Self:
        missing = [
            f"{_key(entry)}="
            for entry in cls._fields()
            if entry.default is MISSING and entry.name not in values
        ]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise UserError(f"{_listing(missing)} {verb} missing: {cls.example}")
        return cls(**values)

    @classmethod
    def _fields(cls) -> tuple[Field[Any], ...]:
        return fields(cls)  # type: ignore[arg-type]  # the subclasses are dataclasses

    @classmethod
    def _unknown(cls, word: str) -> str:
        key, equals, _ = word.partition("=")
        if not equals:
            return f"{word!r} is not understood: options are key=value, as in {cls.example}"
        near = difflib.get_close_matches(key, cls.option_keys(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}=?" if near else ""
        name = cls.command.partition(" ")[0]
        return (
            f"{cls.command} has no option {key}= ({word}){hint} "
            f"(`alvision {name} --help` lists the options)"
        )


def boolean(key: str, text: str) -> bool:
    """Read a yes or no.

    >>> boolean("once", "Yes"), boolean("once", "0")
    (True, False)

    Raises:
        UserError: It is neither: a typo must not mean no.
    """
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise UserError(f"{key}={text} must be true or false (or yes, no, on, off, 1, 0)")


def _key(entry: Field[Any]) -> str:
    return entry.metadata["key"] or entry.name


def _listed(entry: Field[Any]) -> Listed:
    meaning, default = entry.metadata["meaning"], entry.default
    if entry.metadata["shown"] is not None:
        return Listed(_key(entry), "", f"{meaning} Default: {entry.metadata['shown']}.")
    if default is MISSING:
        return Listed(_key(entry), "", f"{meaning} Required.")
    if isinstance(default, bool):
        return Listed(_key(entry), str(default).lower(), meaning)
    if isinstance(default, tuple):
        return Listed(_key(entry), f"[{','.join(default)}]", meaning)
    return Listed(_key(entry), "" if default is None else str(default), meaning)


def _value(entry: Field[Any], kind: Any, text: str) -> Any:
    """Read an option's text as its field's type; MISSING where it is empty and may be absent."""
    key = _key(entry)
    kinds = [part for part in get_args(kind) if part is not type(None)]
    kind = kinds[0] if type(None) in get_args(kind) else kind
    if kind is bool:
        return boolean(key, text)
    if get_origin(kind) is tuple:
        return _names(text)
    if kind in (Path, Place):
        text = _unquoted(text)
    if not text and kind in (Path, Place, str):
        return MISSING  # scripts write `to=$TO` with TO unset: as if the word were absent
    value = _number(entry, kind, text) if kind in (int, float) else kind(text)
    limit: Limit | None = entry.metadata.get(LIMIT)
    if limit and (problem := limit.problem(value)):
        hint = f" ({_small(entry)})" if kind in (int, float) else ""
        raise UserError(f"{key}={text} {problem}{hint}")
    return value


def _number(entry: Field[Any], kind: type, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{_key(entry)}={text} must be a number ({_small(entry)})")
    if kind is int and not value.is_integer():
        raise UserError(f"{_key(entry)}={text} must be a whole number ({_small(entry)})")
    return int(value) if kind is int else value


def _small(entry: Field[Any]) -> str:
    """Return an option's meaning as the end of a sentence."""
    meaning: str = entry.metadata["meaning"]
    return (meaning[0].lower() + meaning[1:]).rstrip(".")


def _listing(names: list[str]) -> str:
    """Join names as a sentence does.

    >>> _listing(["bundle=", "images=", "to="])
    'bundle=, images= and to='
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def near_action(word: str, actions: Iterable[str]) -> str:
    """Return a question for the action that a word looks like; empty where none does.

    >>> near_action("lst", ["list", "prune"])
    ' (did you mean list?)'
    """
    near = difflib.get_close_matches(word, list(actions), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _names(text: str) -> tuple[str, ...]:
    """Read `[a,b]`, `a,b` or `a`."""
    names = [name.strip() for name in text.strip().strip("[]").split(",")]
    return tuple(name for name in names if name)


def _unquoted(text: str) -> str:
    r"""Undo the quotes of Hydra's grammar, which people and `alvision.api` put around paths.

    >>> print(_unquoted("'my parts'"), _unquoted("plain"), _unquoted(r"'it\'s'"))
    my parts plain it's
    """
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return text
    inner, mark = text[1:-1], text[0]
    # Backslashes mean themselves, except before a quote and at the end.
    return re.sub(rf"(\\+)({mark}|$)", lambda found: "\\" * (len(found[1]) // 2) + found[2], inner)
