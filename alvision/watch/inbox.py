"""Files that arrive: which of them are complete, and how they are moved without loss."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.core.walk import left_behind, printable
from alvision.data.hashes import file_hash
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES
from alvision.data.storage.stored_path import ImagePath, Status

Mark = tuple[int, int, int, int]
"""Size, time of change, inode and time of the inode's change of a file.

While they stay the same, so do its bytes. The last one cannot be set, unlike the time of change,
which a copier sets to that of the original; on Windows it is when the file was created.
"""


@dataclass(frozen=True)
class Arrived:
    """A file that is at rest: its name in the inbox, its path and its marks."""

    name: str
    path: ImagePath
    mark: Mark


@dataclass
class Inbox:
    """A folder that images arrive in.

    Attributes:
        folder: The folder, with its subfolders.
        settle: Seconds that a file's marks must stay the same before it counts as complete.
        arriving: Files that the last scan found and that are not at rest yet.
    """

    folder: Path
    settle: float
    arriving: int = 0
    _seen: dict[str, tuple[Mark, float]] = field(default_factory=dict)

    def scan(self) -> list[Arrived]:
        """Return the images that are at rest, the oldest first.

        Files without an image's suffix and what file systems leave behind are left alone.

        Raises:
            UserError: The folder is gone.
        """
        if not self.folder.is_dir():
            raise UserError(f"images={self.folder} is no longer there: connect it, and start again")
        clock = time.monotonic()
        seen: dict[str, tuple[Mark, float]] = {}
        found: list[Arrived] = []
        for path in _images(self.folder):
            try:
                mark = marks(path)
            except OSError:  # taken away meanwhile
                continue
            name = self._name(path)
            before, since = self._seen.get(name, (None, clock))
            seen[name] = (mark, since if before == mark else clock)
            # By our own clock: a copier gives a file the time of its original before it is whole,
            # and a camera's clock may be wrong.
            if clock - seen[name][1] >= self.settle:
                found.append(Arrived(name, path, mark))
        self._seen, self.arriving = seen, len(seen) - len(found)
        return sorted(found, key=lambda one: (one.mark[1], one.name))

    def paths(self) -> dict[str, Path]:
        """Return where each image of the folder is, by its name, whether it is at rest or not."""
        return {self._name(path): path for path in _images(self.folder)}

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self.folder).as_posix())


def _images(folder: Path) -> Iterator[Path]:
    known = SUFFIXES | HEIC_SUFFIXES
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:  # a folder below the inbox that is gone again
        return
    for entry in entries:
        if left_behind(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _images(Path(entry.path))
        elif Path(entry.name).suffix.lower() in known and entry.is_file():
            yield Path(entry.path)


def marks(path: ImagePath) -> Mark:
    """Return the marks of a file, or of an object as it was listed."""
    state = path.stat()
    if isinstance(state, Status):
        return state.st_size, state.st_mtime_ns, 0, 0
    return state.st_size, state.st_mtime_ns, state.st_ino, state.st_ctime_ns


def move(source: Path, target: Path, sha256: str) -> None:
    """Move a file; a kill at any moment leaves it whole in one place or in both.

    Within a file system it is renamed; across two it is copied beside its place, forced to disk,
    renamed, and only then removed. A file that is at its place already is never overwritten.

    Raises:
        FileExistsError: Another file is there.
        OSError: The disk is full or fails; the source is whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        if file_hash(target) != sha256:
            raise FileExistsError(errno.EEXIST, "another file is there", str(target))
        source.unlink()
        return
    if not source.is_symlink():
        try:
            source.rename(target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    copy_whole(source, target)
    source.unlink()


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file completely or not at all; after a failure the space is free again.

    Raises:
        OSError: The disk is full or fails.
    """

    def fill(beside: Path) -> None:
        shutil.copy2(source, beside)

    try:
        write_atomically(target, fill)
    except BaseException:
        target.with_name(f".{target.name}.part").unlink(missing_ok=True)
        raise
