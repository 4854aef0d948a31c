"""Names of parametrised cases that read, where a test gives none of its own."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

_LONGEST = 60
"""Characters; a temporary folder and a line of a terminal hold no more."""


def of(value: Any) -> str:
    """Return a value in few words; empty where its own text would not read."""
    if isinstance(value, str | int | float | None):
        text = str(value)
    elif isinstance(value, Path):
        text = value.name
    elif isinstance(value, partial):
        text = " ".join([of(value.func), *map(of, value.args), _pairs(value.keywords)])
    elif hasattr(value, "__name__"):
        text = value.__name__.replace("<lambda>", "")
    elif isinstance(value, Mapping):
        text = _pairs(value)
    elif hasattr(value, "shape"):
        text = f"{getattr(value, 'dtype', '')} {'x'.join(map(str, value.shape)) or 'number'}"
    elif isinstance(value, set | frozenset):
        text = " ".join(sorted(map(of, value)))  # workers must find them in the same order
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        text = " ".join(map(of, value))
    else:
        text = repr(value)
    text = " ".join(text.replace("torch.", "").split())
    return "" if " at 0x" in text else text[:_LONGEST]


def _pairs(values: Mapping[Any, Any]) -> str:
    return " ".join(f"{of(name)}={of(value)}" for name, value in values.items())


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """Name a case after its values: `data.root=nowhere`, not `words0`."""
    if isinstance(val, bool):
        return f"{argname}={val}"
    if isinstance(val, str | int | float | None):
        return None  # pytest's own way
    if isinstance(val, Mapping | list | tuple | set | frozenset) and not val:
        return f"no {argname}"
    return of(val) or None
