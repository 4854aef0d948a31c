"""Look after the feature caches: list them, check them, and keep them within their bound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from alvision.inference.feature_cache import KEY, lock_of, read_part


@dataclass(frozen=True)
class Stored:
    """One cache on disk.

    Attributes:
        folder: Its folder.
        size: Bytes.
        used: When it was last opened, in seconds since 1970.
        images: Images that it holds; damaged parts are not counted.
        damaged: Parts whose bytes are not those that were written.
        about: What its features depend on.
    """

    folder: Path
    size: int
    used: float
    images: int
    damaged: tuple[Path, ...]
    about: dict[str, object]


def stored(root: Path, *, check: bool) -> list[Stored]:
    """Look at every cache under a root, last used first; `check` reads every byte of them."""
    found = [_look(folder, check) for folder in folders(root)]
    return sorted(found, key=lambda cache: -cache.used)


def folders(root: Path) -> list[Path]:
    """Return the folders of the caches under a root."""
    return sorted(path for path in root.glob("*") if path.is_dir())


def mend(cache: Stored) -> int:
    """Remove the damaged parts of a cache and what a kill left; return the bytes won."""
    with _held(cache.folder) as held:
        if not held:
            return 0
        rubbish = [path for index in cache.damaged for path in (index, index.with_suffix(".npy"))]
        rubbish += cache.folder.glob(".*.part")
        indexed = {path.stem for path in cache.folder.glob("*.json")}
        rubbish += (path for path in cache.folder.glob("*.npy") if path.stem not in indexed)
        won = sum(_size(path) for path in rubbish)
        for path in rubbish:
            path.unlink(missing_ok=True)
        return won


def evict(root: Path, limit: int, keep: Path | None = None) -> list[Path]:
    """Remove whole caches, the longest unused first, until the rest takes at most `limit` bytes.

    A cache that is being filled stays, and so does `keep`; who has one open goes on reading it.

    Returns:
        The folders that are gone.
    """
    sizes = {folder: _size_of(folder) for folder in folders(root)}
    gone = []
    for folder in sorted(sizes, key=_used):
        if sum(sizes.values()) <= limit:
            break
        if folder == keep:
            continue
        with _held(folder) as held:
            if held:
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    gone.append(folder)
                    del sizes[folder]
    return gone


def _look(folder: Path, check: bool) -> Stored:
    images, damaged = 0, []
    for index in sorted(folder.glob("*.json")):
        part = read_part(index, check=check)
        if part is None:
            damaged.append(index)
        else:
            images += len(part[0])
    try:
        about = json.loads((folder / KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = {}
    return Stored(folder, _size_of(folder), _used(folder), images, tuple(damaged), about)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    lock = FileLock(lock_of(folder))
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError):  # held elsewhere, or a file system without locks
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _size_of(folder: Path) -> int:
    return sum(_size(path) for path in folder.glob("*"))


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _used(folder: Path) -> float:
    with suppress(OSError):
        return (folder / KEY).stat().st_mtime
    return 0.0
