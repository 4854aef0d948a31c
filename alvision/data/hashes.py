"""The sha256 of every image: labels and features belong to bytes, not to names."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from alvision.core.errors import UserError
from alvision.data.cache import cache_folder
from alvision.data.storage.stored_path import ImagePath, StoredPath

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.manifest import Manifest

BATCH = 512
"""Files between two reports of progress, and between two writes of the memo."""
PROBE_BYTES = 4096
"""A page of most file systems: reading less costs the same."""
STORE_THREADS = 32
"""Each waits for a store nearly all of its time."""
SETTLED_NANOSECONDS = 2_000_000_000
"""Coarsest time stamp of common file systems: a younger file may change again under its stamp."""


class Stamp(NamedTuple):
    """What tells without reading a file that it has changed.

    Attributes:
        size: Bytes.
        modified: Time of the last change, in nanoseconds.
    """

    size: int
    modified: int

    @property
    def settled(self) -> bool:
        """Tell whether the file, if it changes from now on, will have another stamp."""
        return time.time_ns() - self.modified > SETTLED_NANOSECONDS


def file_stamp(path: ImagePath) -> Stamp | None:
    """Return a file's stamp; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


class _Stamp(NamedTuple):
    path: bytes
    size: int
    modified: int


def content_hashes(
    manifest: Manifest, progress: Callable[[int, int], None] | None = None
) -> dict[SampleId, str]:
    """Return the sha256 of each image's bytes, of its feature row or its text, in hexadecimal.

    Hashes of unchanged files (path, size and time stamp) come from a memo in the cache folder.
    A file that cannot be opened is absent from the result.

    Args:
        manifest: The images.
        progress: Called with (images done, images in all), now and then.
    """
    if manifest.is_text:  # whatever features are made of it
        return {
            id: hashlib.sha256(str(one and one.text).encode()).hexdigest()
            for id, one in zip(manifest.ids, manifest.shown, strict=True)
        }
    if manifest.features is not None:
        import numpy as np

        rows = np.ascontiguousarray(manifest.features, dtype="<f4")
        return {
            id: hashlib.sha256(row.tobytes()).hexdigest()
            for id, row in zip(manifest.ids, rows, strict=True)
        }
    hashes: dict[SampleId, str] = {}
    total = len(manifest)
    memo = _Memo()
    try:
        with _threads(manifest.paths) as threads:
            for start in range(0, total, BATCH):
                part = slice(start, start + BATCH)
                paths = manifest.paths[part]
                for id, found in zip(
                    manifest.ids[part], _hashes(paths, memo, threads), strict=True
                ):
                    if found is not None:
                        hashes[id] = found
                if progress:
                    progress(min(start + BATCH, total), total)
    finally:
        memo.close()
    return hashes


def hashes_of_possible_duplicates(manifest: Manifest) -> dict[SampleId, str]:
    """Return the sha256 of the images that may have an exact duplicate, by id.

    Images have equal bytes if and only if they have equal hashes in this result, so joining groups
    by it gives what joining them by `content_hashes` gives. It reads far less: a file is not opened
    if no other has its size, or if all files of its size have a hash in the memo; otherwise only
    its middle is read, and the whole of it only if another file has the same middle.
    """
    if manifest.features is not None or manifest.is_text:
        return content_hashes(manifest)
    by_size: dict[int, list[tuple[int, _Stamp]]] = defaultdict(list)
    for row, path in enumerate(manifest.paths):
        if stamp := _stamp(path):
            by_size[stamp.size].append((row, stamp))
    hashes: dict[SampleId, str] = {}
    memo = _Memo()
    try:
        with _threads(manifest.paths) as threads:
            several = [stamp for files in by_size.values() if len(files) > 1 for _, stamp in files]
            remembered = memo.get(several)
            doubtful: list[tuple[int, int]] = []
            for size, files in by_size.items():
                if len(files) == 1:
                    continue
                found = [remembered.get(stamp) for _, stamp in files]
                if all(found):
                    hashes |= {manifest.ids[row]: remembered[stamp] for row, stamp in files}
                else:
                    doubtful += [(size, row) for row, _ in files]
            probed = [manifest.paths[row] for _, row in doubtful]
            # A thread gets many files at a time: handing one over costs more than reading it.
            probes = threads.map(_middles, _batched(probed))
            alike: dict[tuple[int, bytes | None], list[int]] = defaultdict(list)
            for (size, row), probe in zip(doubtful, chain.from_iterable(probes), strict=True):
                alike[size, probe].append(row)
            rows = [row for found in alike.values() if len(found) > 1 for row in found]
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                paths = tuple(manifest.paths[row] for row in part)
                for row, hash in zip(part, _hashes(paths, memo, threads), strict=True):
                    if hash is not None:
                        hashes[manifest.ids[row]] = hash
    finally:
        memo.close()
    return hashes


def _threads(paths: tuple[ImagePath, ...]) -> ThreadPoolExecutor:
    if any(isinstance(path, StoredPath) for path in paths[:1]):
        return ThreadPoolExecutor(STORE_THREADS)
    # Twice the cores: half of the threads wait for the disk. More than 16 only make it seek.
    return ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1)))


def _batched(paths: list[ImagePath]) -> Iterator[list[ImagePath]]:
    for start in range(0, len(paths), BATCH):
        yield paths[start : start + BATCH]


def _middles(paths: list[ImagePath]) -> list[bytes | None]:
    return [_middle(path) for path in paths]


def _middle(path: ImagePath) -> bytes | None:
    """Return some bytes from the middle, where pictures differ whatever their format's header."""
    try:
        if isinstance(path, StoredPath):
            start = max(0, path.stat().st_size - PROBE_BYTES) // 2
            return path.fetch((start, start + PROBE_BYTES))
        with path.open("rb", buffering=0) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - PROBE_BYTES) // 2)
            return file.read(PROBE_BYTES)
    except OSError:
        return None


def _hashes(
    paths: tuple[ImagePath, ...], memo: _Memo, threads: ThreadPoolExecutor
) -> list[str | None]:
    stamps = [_stamp(path) for path in paths]
    remembered = memo.get([stamp for stamp in stamps if stamp])
    known = [remembered.get(stamp) if stamp else None for stamp in stamps]
    unknown = [i for i, hash in enumerate(known) if hash is None and stamps[i]]
    fresh: list[tuple[_Stamp, str]] = []
    for i, hash in zip(
        unknown, threads.map(hash_if_readable, [paths[i] for i in unknown]), strict=True
    ):
        known[i] = hash
        stamp = stamps[i]
        if hash and stamp and time.time_ns() - stamp.modified > SETTLED_NANOSECONDS:
            fresh.append((stamp, hash))
    memo.put(fresh)
    return known


def _stamp(path: ImagePath) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _Stamp(os.fsencode(str(path)), status.st_size, status.st_mtime_ns)


def file_hash(path: ImagePath) -> str:
    """Return the sha256 of a file's bytes, as hexadecimal digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_if_readable(path: ImagePath) -> str | None:
    """Return the sha256 of a file's bytes; None if it cannot be read."""
    try:
        return file_hash(path)
    except OSError:
        return None


class _Memo:
    """Hashes by path, size and time stamp; a memo that fails is ignored, never an error."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        try:
            self.connection = sqlite3.connect(cache_folder() / "hashes.db", timeout=1)
            self.connection.execute(
                "CREATE TABLE IF NOT EXISTS hashes "
                "(path BLOB PRIMARY KEY, size INTEGER, modified INTEGER, sha256 TEXT)"
            )
        except (sqlite3.Error, UserError):
            self.close()

    def get(self, stamps: list[_Stamp]) -> dict[_Stamp, str]:
        """Return the hashes of those files that have not changed since they were hashed."""
        found: dict[_Stamp, str] = {}
        for start in range(0, len(stamps), BATCH):
            wanted = stamps[start : start + BATCH]
            if self.connection is None:
                return {}
            marks = ",".join("?" * len(wanted))
            try:
                rows = self.connection.execute(
                    f"SELECT path, size, modified, sha256 FROM hashes WHERE path IN ({marks})",
                    [stamp.path for stamp in wanted],
                ).fetchall()
            except sqlite3.Error:
                self.close()
                return {}
            found |= {_Stamp(*row[:3]): row[3] for row in rows}
        return found

    def put(self, fresh: list[tuple[_Stamp, str]]) -> None:
        if self.connection is None or not fresh:
            return
        try:
            with self.connection:
                self.connection.executemany(
                    "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)",
                    [(*stamp, hash) for stamp, hash in fresh],
                )
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
