"""`key=value` words as a shell delivers them, made safe for Hydra's grammar."""

from __future__ import annotations

import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException

from alvision.core.errors import UserError

BARE_KEYS = frozenset(
    {
        "name",
        "out",
        "data.root",
        "data.file",
        "data.group_pattern",
        "data.text_model",
        "labels.url",
        "model.weights",
    }
)
"""Keys whose value is one string, whatever it holds: spaces, umlauts, `=`, commas, brackets."""
NAME_LISTS = frozenset({"classes", "defects", "labels.experts"})


def tidy(word: str) -> str:
    """Quote what Hydra would otherwise read as grammar.

    >>> tidy("data.root=my parts/größe=1")
    "data.root='my parts/größe=1'"
    >>> tidy("classes=[ok,yes,größer als]")
    "classes=['ok','yes','größer als']"
    >>> tidy("seed=3")
    'seed=3'
    """
    key, equals, value = word.partition("=")
    if not equals or not value or value.startswith(("'", '"', "${")):
        return word
    bare = key.lstrip("+")
    if bare in BARE_KEYS and value != "null":
        return f"{key}={quote(value)}"
    if bare in NAME_LISTS and value.startswith("[") and value.endswith("]"):
        items = re.findall(r"""\s*("[^"]*"|'[^']*'|[^,]+)\s*(?:,|$)""", value[1:-1])
        items = [item if item[0] in "'\"" else quote(item.strip()) for item in items]
        return f"{key}=[{','.join(items)}]"
    return word


def quote(text: str) -> str:
    r"""Put a string into Hydra's single quotes; only quotes and backslashes before them count.

    >>> print(quote("it's"))
    'it\'s'
    """
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def parse(words: list[str]) -> list[Override]:
    """Parse override words.

    Raises:
        UserError: A word is not `key=value`, or its value is not one.
    """
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise UserError(f"{word!r} is not understood: settings are key=value, e.g. seed=1")
    parsed = []
    for word in words:
        try:
            parsed.append(OverridesParser.create().parse_override(word))
        except HydraException:
            raise UserError(f"{word!r} cannot be read: {_remedy(word)}") from None
    return parsed


def _remedy(word: str) -> str:
    """Say what to do about a word that is not in Hydra's grammar.

    >>> _remedy("classes=[ok")
    'close the bracket'
    """
    if any(word.count(left) > word.count(right) for left, right in ("[]", "{}", "()")):
        return "close the bracket"
    return "quote the value: key='\"a value\"'"


def is_list(override: Override) -> bool:
    """Tell whether an override names several values, as a list or as a sweep."""
    return override.value_type == ValueType.ELEMENT and isinstance(override.value(), list)
