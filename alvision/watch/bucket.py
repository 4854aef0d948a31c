"""Images that arrive in object storage: an object that is listed is whole."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alvision.core.rounds import write_atomically
from alvision.core.walk import printable
from alvision.data.hashes import file_hash
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES
from alvision.data.sources.folder import stored_files
from alvision.data.storage import client
from alvision.data.storage.client import ChangedObject
from alvision.data.storage.stored_path import StoredPath
from alvision.watch.inbox import Arrived, marks


@dataclass
class Bucket:
    """A prefix that images arrive in, with the ways of an `Inbox`.

    Attributes:
        folder: The prefix.
        arriving: Always 0: a store shows no object before it is whole.
    """

    folder: StoredPath
    arriving: int = 0

    def scan(self) -> list[Arrived]:
        """Return the images that are there, in the order of their names.

        Raises:
            UserError: The store refuses.
        """
        return [Arrived(name, path, marks(path)) for name, path in sorted(self.paths().items())]

    def paths(self) -> dict[str, StoredPath]:
        """Return where each image is, by its name."""
        known = SUFFIXES | HEIC_SUFFIXES
        return {
            printable(path.relative_to(self.folder).as_posix()): path
            for path in stored_files(self.folder)
            if path.suffix.lower() in known
        }


def fetch_away(source: StoredPath, target: Path, sha256: str) -> None:
    """Move an object into a file; a kill at any moment leaves it whole in one place or in both.

    Raises:
        FileExistsError: Another file is there.
        OSError: The disk is full or fails; the object stays.
    """
    if target.exists():
        if file_hash(target) != sha256:
            raise FileExistsError(errno.EEXIST, "another file is there", str(target))
    else:
        content = source.read_bytes()

        def fill(beside: Path) -> None:
            beside.write_bytes(content)

        write_atomically(target, fill)
    with suppress(FileNotFoundError, ChangedObject):  # a new one of that name is judged next
        client.delete(source.uri, source.etag)
