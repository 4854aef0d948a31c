"""Objects that were read, kept in the cache folder under a bound: the second reading is local."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from alvision.core.errors import UserError
from alvision.data.cache import cache_folder, cache_limit

CHECKED_EVERY = 20
"""The bound is looked after each time that this part of it was written."""
DOWN_TO = 0.9
"""Share of the bound that is left after that, so that it is not looked after at every object."""

_lock = threading.Lock()
_written: float | None = None
"""Bytes that this process has written since it last looked after the bound; None: never yet."""


def kept(name: str, size: int, fetch: Callable[[], bytes]) -> bytes:
    """Return an object's content, from the cache folder or else by `fetch`, which is then kept.

    A cache folder that cannot be written only means that the object is fetched again.

    Args:
        name: What stands for its bytes: its address and its etag.
        size: Its bytes; a file of another size is half an object.
        fetch: Reads it from the store.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=20).hexdigest()
    file = folder() / digest[:2] / digest
    with suppress(OSError):
        data = file.read_bytes()
        if len(data) == size:
            os.utime(file)
            return data
    data = fetch()
    with suppress(OSError, UserError):
        _keep(file, data)
    return data


def folder() -> Path:
    """Return the folder of the kept objects."""
    return cache_folder() / "objects"


def _keep(file: Path, data: bytes) -> None:
    global _written
    limit = cache_limit()
    if len(data) > limit:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as beside:
        try:
            beside.write(data)
            beside.close()
            Path(beside.name).replace(file)
        except OSError:
            beside.close()
            Path(beside.name).unlink(missing_ok=True)
            raise
    with _lock:
        due = _written is None or _written + len(data) >= limit / CHECKED_EVERY
        _written = 0 if due else (_written or 0) + len(data)
    if due:
        evict(limit)


def evict(limit: int) -> None:
    """Remove the objects that were not read for longest, if all take more than `limit` bytes."""
    found = sorted(_stored())
    total = sum(size for _, size, _ in found)
    if total <= limit:
        return
    for _, size, path in found:
        if total <= DOWN_TO * limit:
            return
        Path(path).unlink(missing_ok=True)
        total -= size


def _stored() -> Iterator[tuple[int, int, str]]:
    """Yield when each kept object was last read, its bytes and its file."""
    with suppress(OSError), os.scandir(folder()) as parts:
        for part in parts:
            with suppress(OSError), os.scandir(part.path) as entries:
                for entry in entries:
                    with suppress(OSError):
                        state = entry.stat()
                        yield state.st_mtime_ns, state.st_size, entry.path
