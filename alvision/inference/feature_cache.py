"""Features on disk, found by content: an image seen once is never run through its trunk again."""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from alvision.core import stopping
from alvision.core.rounds import write_atomically
from alvision.data.hashes import file_hash

ROWS_A_PART = 4096
KEY = "key"
"""The file that says what a cache depends on; its time is that of the last use."""

SECONDS_BEFORE_A_WORD = 5

Compute = Callable[[list[str]], Iterable[tuple[Sequence[str], np.ndarray]]]

_log = logging.getLogger(__name__)


class FeatureCache:
    """The features of one trunk under one transform, engine and precision.

    A cache is a folder of parts. A part is an array, memory-mapped, and an index beside it that
    names its rows by the images' sha256 and holds the array's own sha256. The index is written
    last and read first, so half a part is no part; a part whose bytes changed is left out. Where
    the folder cannot be written, what is computed stays in memory for this process.

    Args:
        root: Folder of all caches.
        key: Everything that the features depend on beside the image.
        dtype: How numbers are stored.
    """

    def __init__(
        self, root: Path, key: dict[str, object], dtype: type[np.floating] = np.float32
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.text = json.dumps(key, sort_keys=True, default=list)
        self.folder = root / hashlib.sha256(self.text.encode()).hexdigest()[:32]
        self._arrays: list[np.ndarray] = []
        self._rows: dict[str, tuple[int, int]] = {}
        self._seen: set[str] = set()
        self._writes = True
        self._read_parts()

    def missing(self, hashes: Iterable[str]) -> list[str]:
        """Return the hashes without features, each once, in order."""
        return [h for h in dict.fromkeys(hashes) if h not in self._rows]

    def fill(self, hashes: Sequence[str], compute: Compute) -> None:
        """Compute what is missing; a second process waits here and then reads.

        Args:
            hashes: What must be there afterwards, but for what `compute` leaves out.
            compute: Gives hashes and float32 features [b,D], batch by batch; every few thousand
                rows are safe on disk, so that a kill loses little.
        """
        if not self.missing(hashes):
            return
        with self._alone():
            self._read_parts()
            pending = self.missing(hashes)
            if pending:
                for names, features in _joined(compute(pending), ROWS_A_PART):
                    self._add(names, features)

    def features(self, hashes: Sequence[str]) -> np.ndarray:
        """Return features [n,D], one row for each hash.

        Raises:
            KeyError: A hash has no features.
        """
        places = [self._rows[h] for h in hashes]
        if not places:
            width = self._arrays[0].shape[1] if self._arrays else 0
            return np.empty((0, width), np.float32)
        result = np.empty((len(places), self._arrays[places[0][0]].shape[1]), np.float32)
        owners, rows = np.array(places).T
        for part in np.unique(owners):
            mine = owners == part
            result[mine] = self._arrays[part][rows[mine]]
            _let_go(self._arrays[part])
        return result

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the one lock of this cache; without a folder to lock, go on alone."""
        lock = FileLock(lock_of(self.folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=SECONDS_BEFORE_A_WORD)
            except Timeout:
                _log.warning("another process computes the same features; waiting for it")
                while not lock.is_locked:
                    stopping.safe_point()
                    with suppress(Timeout):
                        lock.acquire(timeout=1)
            write_atomically(self.folder / KEY, lambda path: _save_text(path, self.text))
        except (OSError, NotImplementedError) as error:  # the latter: no locks on this file system
            self._keep_in_memory(error)
        try:
            yield
        finally:
            lock.release()

    def _read_parts(self) -> None:
        with suppress(OSError):
            os.utime(self.folder / KEY)
        for index in sorted(self.folder.glob("*.json")):
            if index.stem not in self._seen:
                self._seen.add(index.stem)
                part = read_part(index)
                if part is not None:
                    self._serve(*part)

    def _serve(self, names: Sequence[str], array: np.ndarray) -> None:
        self._arrays.append(array)
        for row, name in enumerate(names):
            self._rows.setdefault(name, (len(self._arrays) - 1, row))

    def _add(self, names: list[str], features: np.ndarray) -> None:
        if self._writes:
            try:
                self._write_part(names, features)
                return self._read_parts()
            except OSError as error:
                for half in self.folder.glob(".*.part"):
                    half.unlink(missing_ok=True)
                self._keep_in_memory(error)
        return self._serve(names, features.astype(self.dtype, copy=False))

    def _keep_in_memory(self, error: Exception) -> None:
        self._writes = False
        reason = getattr(error, "strerror", None) or str(error)
        _log.warning(
            "features cannot be stored in %s (%s): they stay in memory for this run; "
            "ALVISION_CACHE=/another/folder keeps them",
            self.folder.parent,
            reason,
        )

    def _write_part(self, names: list[str], features: np.ndarray) -> None:
        taken = [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit()]
        stem = f"{max(taken, default=-1) + 1:06d}"
        array = self.folder / f"{stem}.npy"
        stored = features.astype(self.dtype, copy=False)
        write_atomically(array, lambda path: _save_array(path, stored))
        text = json.dumps({"rows": names, "sha256": file_hash(array)})
        write_atomically(array.with_suffix(".json"), lambda path: _save_text(path, text))


def read_part(index: Path, *, check: bool = True) -> tuple[list[str], np.ndarray] | None:
    """Return the names of a part's rows and its array [n,D], memory-mapped; None if damaged.

    Args:
        index: The part's index.
        check: Read every byte of the array and compare its sha256.
    """
    array = index.with_suffix(".npy")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        names, digest = content["rows"], content["sha256"]
        if check and file_hash(array) != digest:
            return None
        values = np.load(array, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (names, values) if values.ndim == 2 and len(values) == len(names) else None


def lock_of(folder: Path) -> Path:
    """Return the lock file of a cache's folder; it stays when the folder is removed."""
    return folder.with_name(f"{folder.name}.lock")


def _let_go(array: np.ndarray) -> None:
    """Give mapped pages back to the system, so that what was read does not count as memory."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _joined(
    batches: Iterable[tuple[Sequence[str], np.ndarray]], rows: int
) -> Iterator[tuple[list[str], np.ndarray]]:
    names: list[str] = []
    arrays: list[np.ndarray] = []
    for batch_names, features in batches:
        names.extend(batch_names)
        arrays.append(features)
        if len(names) >= rows:
            yield names, np.concatenate(arrays)
            names, arrays = [], []
    if names:
        yield names, np.concatenate(arrays)


def _save_array(path: Path, features: np.ndarray) -> None:
    with path.open("wb") as file:  # np.save adds a suffix to a name, not to a file
        np.save(file, features, allow_pickle=False)


def _save_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
