"""Show the examples of docstrings as code in the documentation site.

alvision's docstrings end with a bare `>>>`, which Markdown would read as a quotation. This
extension of griffe, which reads the docstrings for the site, puts a fence around each of them.
"""

from __future__ import annotations

from typing import Any

import griffe


def fenced(text: str) -> str:
    """Return a docstring with a fence around each paragraph that begins with `>>>`."""
    lines: list[str] = []
    inside = False
    for line in [*text.split("\n"), ""]:
        if line.lstrip().startswith(">>>") and not inside:
            lines.append("```pycon")
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join(lines[:-1])


class FenceDoctests(griffe.Extension):
    """Fences the examples of every object that griffe reads."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
