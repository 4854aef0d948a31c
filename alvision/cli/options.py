"""Values of a command's own words, read once."""

from __future__ import annotations

from alvision.core.errors import UserError


def strange(rest: list[str]) -> str:
    """Name the first word that a command does not know."""
    return f" (what is {rest[0]}?)" if rest else ""


def number(text: str, key: str, low: float, high: float) -> float:
    """Read a number between two bounds.

    Raises:
        UserError: It is none, or not between them.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low < value < high and not (key == "human" and value in (0, 1)):
        raise UserError(f"{key}={text} must be a number between {low:g} and {high:g}")
    return value
