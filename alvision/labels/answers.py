"""The words of an answer: a class by name, `skip` or `unsure`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from alvision.core.errors import UserError
from alvision.core.records import NOT_CLASSES, AnswerKind


def check_classes(classes: Sequence[str]) -> None:
    """Refuse class names that a table of answers could not hold.

    Raises:
        UserError: A name is empty, has spaces around it, stands twice, or is `skip` or `unsure`.
    """
    for name in classes:
        if not name or name != name.strip():
            raise UserError(f"classes: {name!r} is empty or has spaces around it: rename the class")
        if name.casefold() in NOT_CLASSES:
            raise UserError(f"classes: {name!r} means an answer without a class: rename the class")
        if list(classes).count(name) > 1:
            raise UserError(f"classes: {name!r} stands twice: remove one")


def read_word(text: str, classes: Sequence[str]) -> tuple[AnswerKind, str | None] | None:
    """Read a cell as an answer; None if it is neither a class nor `skip` or `unsure`.

    Spaces around it and the form of its accents do not matter, nor does its case where only one
    class fits.

    >>> read_word(" Worn ", ["ok", "worn"]), read_word("unsure", ["ok"]), read_word("wrn", ["worn"])
    (('label', 'worn'), ('unsure', None), None)
    """
    word = unicodedata.normalize("NFC", text.strip())
    exact = [name for name in classes if unicodedata.normalize("NFC", name) == word]
    if exact:
        return "label", exact[0]
    near = [name for name in classes if _folded(name) == _folded(word)]
    if len(near) == 1:
        return "label", near[0]
    if word.casefold() == "skip":
        return "skip", None
    if word.casefold() == "unsure":
        return "unsure", None
    return None


def allowed(classes: Sequence[str]) -> str:
    """Name everything that may stand in a cell of answers."""
    return ", ".join([*classes, *NOT_CLASSES])


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
