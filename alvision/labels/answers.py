"""What may be written in a cell of answers: a class by name, `skip` or `unsure`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from alvision.core.errors import UserError
from alvision.core.records import NOT_CLASSES, AnswerKind


def check_classes(classes: Sequence[str]) -> None:
    """Refuse class names that a table of answers could not hold.

    Raises:
        UserError: A name is empty, has spaces around it, is there twice, or is `skip` or `unsure`.
    """
    for name in classes:
        if not name or name != name.strip():
            raise UserError(f"classes: {name!r} is empty or has spaces around it: rename the class")
        if name.casefold() in NOT_CLASSES:
            raise UserError(f"classes: {name!r} means an answer without a class: rename the class")
        if list(classes).count(name) > 1:
            raise UserError(f"classes: {name!r} is named twice: remove one")


def parse_answer(text: str, classes: Sequence[str]) -> tuple[AnswerKind, str | None] | None:
    """Read a cell as an answer; None if it is neither a class nor `skip` or `unsure`.

    Spaces around it and the Unicode form of its accents do not matter, and neither does case
    where only one class fits.

    >>> parse_answer(" Worn ", ["ok", "worn"]), parse_answer("unsure", ["ok"])
    (('label', 'worn'), ('unsure', None))
    """
    answer = unicodedata.normalize("NFC", text.strip())
    exact = [name for name in classes if unicodedata.normalize("NFC", name) == answer]
    if exact:
        return "label", exact[0]
    near = [name for name in classes if _folded(name) == _folded(answer)]
    if len(near) == 1:
        return "label", near[0]
    if answer.casefold() == "skip":
        return "skip", None
    if answer.casefold() == "unsure":
        return "unsure", None
    return None


def allowed_answers(classes: Sequence[str]) -> str:
    """Return everything that a cell of answers may hold, as a list for an error message."""
    return ", ".join([*classes, *NOT_CLASSES])


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
