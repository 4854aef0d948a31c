"""The files below a folder, without what file systems and programs leave there.

A bundle's `predict.py` is made from the source of these functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LEFT_BEHIND = frozenset(
    {
        "@eadir", "@tmp", "#recycle", "#snapshot",  # Synology
        "@recycle", "@recently-snapshot", "@__thumb",  # QNAP
        "~snapshot", "lost+found", "__macosx", "__pycache__",
        "network trash folder", "temporary items", "icon\r",
        "$recycle.bin", "recycler", "system volume information", "found.000",
        "thumbs.db", "ehthumbs.db", "desktop.ini",
    }
)  # fmt: skip
"""Names of files and folders, in lower case; names that begin with a dot count without being here.
"""


def left_behind(name: str) -> bool:
    """Tell whether a file or folder of this name is no part of the data.

    >>> [left_behind(name) for name in ("._a.png", "@eaDir", "Thumbs.db", "photos.alvision", "ok")]
    [True, True, True, True, False]
    """
    return name.startswith(".") or name.endswith(".alvision") or name.lower() in LEFT_BEHIND


def files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yield every file below a folder that is part of the data.

    Links to folders are followed, because data sets are often put together from them; a link back
    to a folder that we are in would never end, so it is not.

    Raises:
        OSError: A folder cannot be read.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        found = [(Path(entry.path), entry.is_dir(), entry.is_file()) for entry in entries]
    for path, is_folder, is_file in found:
        if left_behind(path.name):
            continue
        if is_folder:
            yield from files_below(path, above | {real})
        elif is_file:
            yield path


def printable(name: str) -> str:
    r"""Return a name that can be printed and stored: what is not UTF-8 in it is escaped.

    >>> printable("gr\udcfcn.png")
    'gr\\udcfcn.png'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
