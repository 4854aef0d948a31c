"""From a key and its values to a line of English, as the page does it in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).parent / "text"
"""One file a language, named by its code."""

PLURAL = "n"
"""The value that chooses between the forms of a text."""


@dataclass(frozen=True)
class Sentence:
    """Something to say.

    Attributes:
        key: Its text in `text/<language>.json`, without the plural's form.
        values: What goes into its places: counts as numbers, figures as they are to be written.
    """

    key: str
    values: Mapping[str, int | str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it in English."""
        texts = english()
        form = "one" if self.values.get(PLURAL) == 1 else "other"
        text = texts.get(self.key) or texts[f"{self.key}.{form}"]
        return text.format_map({name: _written(value) for name, value in self.values.items()})


@cache
def english() -> dict[str, str]:
    """Return the texts by key; one that depends on a number has a form `.one` and `.other`."""
    texts: dict[str, str] = json.loads((TEXTS / "en.json").read_text(encoding="utf-8"))
    return texts


def _written(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def figure(value: float) -> str:
    """Write a score as it is written everywhere, with three digits."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """Write a difference of scores; one of less than half a digit is 0.

    >>> signed(0.0412), signed(-0.0004)
    ('+0.041', '0')
    """
    text = f"{value:+.3f}"
    return "0" if float(text) == 0 else text


def hundred(share: float) -> str:
    """Write a share as so many of a hundred, with a digit more where it is small.

    >>> hundred(0.124), hundred(0.0042)
    ('12', '0.4')
    """
    return f"{100 * share:.1f}" if 0 < share < 0.0095 else f"{100 * share:.0f}"
