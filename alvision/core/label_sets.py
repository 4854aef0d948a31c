"""Labels that name several classes, which are not supported: an image has one class."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set

from alvision.core.errors import UserError

SEPARATORS = ";|,"
ADVICE = "an image has one class here: keep one, or give the combination a name of its own"


def refuse_sets(labels: Iterable[object], where: str) -> None:
    """Refuse a column of labels in which one names several classes.

    A list does, as a value or written out (`['a', 'b']`). A text with `;`, `|` or `,` does if its
    parts are labels elsewhere in the column, alone or in another combination: with `;` and `|` one
    part is enough, with `,`, which stands in names too, all parts must be.

    Args:
        labels: The cells; None where there is no label.
        where: The table and the column, for the message.

    Raises:
        UserError: Naming the first such label.

    >>> refuse_sets(["ok", "ok, slightly worn", "worn"], "a.csv")
    >>> refuse_sets(["ok", "ok;worn"], "a.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    alvision.core.errors.UserError: a.csv: 'ok;worn' names several classes (ok, worn); an image ...
    """
    distinct = []
    for label in labels:
        if isinstance(label, str):
            distinct.append(label.strip())
        if (listed := _listed(label)) is not None:
            names = ", ".join(map(str, listed))
            raise UserError(f"{where}: {label!r} is a list of classes ({names}); {ADVICE}")
    distinct = list(dict.fromkeys(distinct))
    for separator in SEPARATORS:
        counts = Counter(part for label in distinct for part in set(parts(label, separator)))
        alone = {label for label in distinct if label and separator not in label}
        known = alone | {part for part, count in counts.items() if count > 1}
        for label in distinct:
            if found := several(label, known, separator):
                names = ", ".join(found)
                raise UserError(f"{where}: {label!r} names several classes ({names}); {ADVICE}")


def several(label: str, classes: Collection[str], separators: str = SEPARATORS) -> tuple[str, ...]:
    """Return the names that a label consists of, where it names several classes; else nothing.

    >>> several("ok | worn", ["ok", "worn"]), several("ok, but wet", ["ok", "worn"])
    (('ok', 'worn'), ())
    """
    if label in classes:
        return ()
    for separator in separators:
        found = parts(label, separator)
        known = [part in classes for part in found]
        if len(found) > 1 and (all(known) or (any(known) and separator != ",")):
            return found
    return ()


def parts(label: str, separator: str) -> tuple[str, ...]:
    """Split a label; blank parts are left out.

    >>> parts("a; b;", ";")
    ('a', 'b')
    """
    return tuple(part.strip() for part in label.split(separator) if part.strip())


def _listed(label: object) -> tuple[object, ...] | None:
    """Return what a list holds, as a value or written out; None: it is no list."""
    if isinstance(label, str):
        text = label.strip()
        if text[:1] + text[-1:] not in ("[]", "{}"):
            return None
        try:
            label = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    if isinstance(label, Mapping):
        return tuple(label)
    return tuple(label) if isinstance(label, list | tuple | Set) else None
