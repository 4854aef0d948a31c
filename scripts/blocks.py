"""Rewrite the part of a text file that a program owns: between marks that Markdown hides."""

from __future__ import annotations

from pathlib import Path


def replace_block(text: str, name: str, content: str) -> str:
    r"""Return `text` with everything between the marks of the block `name` replaced.

    Raises:
        ValueError: The text does not hold both marks, once each and in order.

    >>> replace_block("<!-- a:begin -->\nold\n<!-- a:end -->", "a", "new")
    '<!-- a:begin -->\nnew\n<!-- a:end -->'
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"expected {begin} and after it {end}, once each")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def rewrite(path: Path, name: str, content: str) -> None:
    """Replace the block `name` of the file at `path`."""
    text = replace_block(path.read_text(encoding="utf-8"), name, content)
    path.write_text(text, encoding="utf-8", newline="\n")
