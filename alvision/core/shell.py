"""Command lines as they are printed: whoever copies one into a shell runs just that."""

from __future__ import annotations

import os
import re
import shlex

_PLAIN = re.compile(r"[\w@%+=:,./~-]+")


def command(*words: object) -> str:
    """Write a command line, with quotes round each word that a shell would change.

    >>> command("alvision", "label", "data.root=my photos", "classes=[ok,worn]")
    'alvision label "data.root=my photos" "classes=[ok,worn]"'
    """
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    # Double quotes where they do: the shells of Linux, macOS and Windows have them in common.
    changed_inside = '"$`!' if os.name == "nt" else '"$`!\\'
    if any(mark in word for mark in changed_inside):
        return shlex.quote(word)
    plain = word.replace("\\", "") if os.name == "nt" else word
    return word if _PLAIN.fullmatch(plain) else f'"{word}"'
