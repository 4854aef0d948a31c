"""An object in storage, with as much of a path's ways as readers of photographs use."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from alvision.core.uris import is_uri, tidied
from alvision.data.storage import client
from alvision.data.storage.kept import kept


class Status(NamedTuple):
    """An object's bytes, and a number that changes with its etag in the place of a time."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class StoredPath:
    """Stand for an object, or for the prefix of a pool, where else a path stands.

    Reading gives the bytes that were listed, or raises: the store compares the etag. What was read
    is kept in the cache folder, under a bound. Missing objects raise FileNotFoundError as files
    do; a store that refuses raises UserError.

    Attributes:
        uri: Its address.
        size: Its bytes; -1: not known yet.
        etag: What stands for its bytes; empty: not known yet, so that the store is asked.
    """

    uri: str
    size: int = -1
    etag: str = ""

    def __str__(self) -> str:
        """Return the address."""
        return self.uri

    @property
    def name(self) -> str:
        """Return the last part of the address."""
        return self.uri.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        """Return the suffix of the name, with its dot."""
        return PurePosixPath(self.name).suffix

    def __truediv__(self, relative: str) -> StoredPath:
        """Return the object below this prefix."""
        return StoredPath(f"{self.uri}/{relative}")

    def relative_to(self, root: StoredPath) -> PurePosixPath:
        """Return the path below a prefix; of an object elsewhere its name."""
        below = self.uri.startswith(f"{root.uri}/")
        return PurePosixPath(self.uri[len(root.uri) + 1 :] if below else self.name)

    def resolve(self) -> StoredPath:
        """Return it: an address is whole as it is."""
        return self

    def stat(self) -> Status:
        """Return its size and what tells its bytes from others."""
        known = self._known
        digest = hashlib.blake2b(known.etag.encode(), digest_size=8).digest()
        # 60 bits: as nanoseconds they lie before 2007, so that a stamp counts as settled.
        return Status(known.size, int.from_bytes(digest) >> 4)

    def is_file(self) -> bool:
        """Tell whether there is such an object; one that was listed is believed to be there."""
        try:
            return bool(self._known.etag)
        except FileNotFoundError:
            return False

    def read_bytes(self) -> bytes:
        """Return the content, from the cache folder if it was read before."""
        known = self._known
        name = f"{known.uri}\n{known.etag}"
        return kept(name, known.size, known.fetch)

    def fetch(self, span: tuple[int, int] | None = None) -> bytes:
        """Return the content, or the bytes of a span of it, from the store itself."""
        return client.read(self.uri, self.etag, span)

    def open(self, mode: Literal["rb"] = "rb", buffering: int = -1) -> io.BytesIO:
        """Open the content for reading."""
        return io.BytesIO(self.read_bytes())

    @cached_property
    def _known(self) -> StoredPath:
        if self.etag:
            return self
        found = client.head(self.uri)
        return replace(self, size=found.size, etag=found.etag)


ImagePath = Path | StoredPath
"""Where a photograph is: a file, or an object in storage."""


def place(text: str) -> ImagePath:
    """Return the place that a text names; raises UserError where an address is not right."""
    return StoredPath(tidied(text)) if is_uri(text) else Path(text)
