"""Build an object of the user's own from a node with `_target_`, as plain data.

The form is Hydra's, so that one YAML reads like the next, but Hydra itself is not needed: training
and data must not know it, and a run's folder is read back without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError

TARGET, PARTIAL, POSITIONAL = "_target_", "_partial_", "_args_"
_OF_HYDRA = ("_convert_", "_recursive_")
"""Keys that Hydra knows and that change nothing here: values are always plain data."""


def is_node(value: object) -> bool:
    """Tell whether a setting names something to build, instead of being a value itself."""
    return isinstance(value, Mapping) and TARGET in value


def build(node: Any, what: str) -> Any:
    """Build what a node names; every call builds it anew.

    `_target_` is the dotted name of a function or class in an installed package or in the current
    folder; all other keys are its arguments. With `_partial_: true` the result is the function with
    these arguments filled in, to be called later. Nodes inside are built first.

    Args:
        node: Plain data: a mapping with `_target_`.
        what: The setting, for messages: `model.backbone`.

    Raises:
        UserError: It cannot be built; the line says why.

    >>> build({"_target_": "fractions.Fraction", "numerator": 1, "denominator": 4}, "part")
    Fraction(1, 4)
    """
    if not is_node(node):
        raise UserError(f"{what}={node!r} names nothing to build: it needs a key {TARGET}")
    try:
        return _built(node)
    except UserError:
        raise
    except Exception as error:  # code of the user's own fails in ways of its own
        raise UserError(f"{what} cannot be built from {node[TARGET]} ({_reason(error)})") from error


class _Named(partial[Any]):
    """A function of the user's own; what it raises is a line that names the setting.

    A partial, so that it can be sent to other processes if the function can.
    """

    what: str

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except (UserError, MemoryError):
            raise
        except Exception as error:  # code of the user's own fails in ways of its own
            if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
                raise
            raise UserError(f"{self.what} failed: {_reason(error)}") from error


def function(node: Any, what: str, *, bare: bool = False) -> Callable[..., Any]:
    """Build what a node names and alvision calls later: a function with `_partial_: true`.

    What it raises when it is called becomes a UserError that names the setting.

    Args:
        node: Plain data: a mapping with `_target_`.
        what: The setting, for messages.
        bare: Let what it raises through as it is, where the caller has words of its own.

    Raises:
        UserError: It cannot be built or cannot be called.
    """
    hint = "" if is_node(node) and node.get(PARTIAL) else f"; a function needs `{PARTIAL}: true`"
    try:
        made = build(node, what)
    except UserError as error:
        raise UserError(f"{error}{hint}") from error
    if not callable(made):
        raise UserError(f"{what}: {node[TARGET]} gave a {type(made).__name__}{hint}")
    if bare:
        return made
    named = _Named(made)
    named.what = f"{what}={node[TARGET]}"
    return named


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _built(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_built(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    inside = {str(key): _built(part) for key, part in value.items()}
    if TARGET not in inside:
        return inside
    target = _locate(inside.pop(TARGET))
    later, positional = inside.pop(PARTIAL, False), inside.pop(POSITIONAL, [])
    for key in _OF_HYDRA:
        inside.pop(key, None)
    made = partial(target, *positional, **inside)
    return made if later else made()


def _locate(name: Any) -> Any:
    """Import the longest part of a dotted name that is a module, and look the rest up in it."""
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # a script of the user's own lies beside where they work
    parts = str(name).split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:count])
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError as error:
            # Only where this very name is missing: a module that misses another one must say so.
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(f"there is no module {parts[0]!r} here")
