"""Features on disk, found by content: an image seen once is never run through its trunk again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from alvision.rounds import write_atomically

ROWS_A_PART = 4096

Compute = Callable[[list[str]], Iterable[tuple[Sequence[str], np.ndarray]]]


class FeatureCache:
    """The features of one trunk under one transform and precision.

    A cache is a folder of parts. A part is an array, memory-mapped, and an index beside it that
    names its rows by the images' sha256 and holds the array's own sha256. The index is written
    last and read first, so half a part is no part; a part whose bytes changed is left out.

    Args:
        root: Folder of all caches.
        key: Everything that the features depend on beside the image.
    """

    def __init__(self, root: Path, key: dict[str, object]) -> None:
        text = json.dumps(key, sort_keys=True, default=list)
        self.folder = root / hashlib.sha256(text.encode()).hexdigest()[:32]
        self._arrays: dict[str, np.ndarray] = {}
        self._rows: dict[str, tuple[str, int]] = {}
        self._refused: set[str] = set()
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
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "lock"):
            self._read_parts()
            pending = self.missing(hashes)
            if pending:
                for names, features in _joined(compute(pending), ROWS_A_PART):
                    self._write_part(names, features)
        self._read_parts()

    def features(self, hashes: Sequence[str]) -> np.ndarray:
        """Return features [n,D], one row for each hash.

        Raises:
            KeyError: A hash has no features.
        """
        places = [self._rows[h] for h in hashes]
        if not places:
            width = next((array.shape[1] for array in self._arrays.values()), 0)
            return np.empty((0, width), np.float32)
        result = np.empty((len(places), self._arrays[places[0][0]].shape[1]), np.float32)
        owners = np.array([part for part, _ in places])
        rows = np.array([row for _, row in places])
        for part in np.unique(owners):
            mine = owners == part
            result[mine] = self._arrays[str(part)][rows[mine]]
        return result

    def _read_parts(self) -> None:
        for index in sorted(self.folder.glob("*.json")):
            if index.stem in self._arrays or index.stem in self._refused:
                continue
            part = _read_part(index)
            if part is None:
                self._refused.add(index.stem)
                continue
            names, self._arrays[index.stem] = part
            for row, name in enumerate(names):
                self._rows.setdefault(name, (index.stem, row))

    def _write_part(self, names: list[str], features: np.ndarray) -> None:
        taken = [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit()]
        stem = f"{max(taken, default=-1) + 1:06d}"
        array = self.folder / f"{stem}.npy"
        write_atomically(array, lambda path: _save_array(path, features))
        index = {"rows": names, "sha256": _digest(array)}
        text = json.dumps(index)
        write_atomically(array.with_suffix(".json"), lambda path: _save_text(path, text))


def _read_part(index: Path) -> tuple[list[str], np.ndarray] | None:
    array = index.with_suffix(".npy")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        names, digest = content["rows"], content["sha256"]
        if _digest(array) != digest:
            return None
        values = np.load(array, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (names, values) if values.ndim == 2 and len(values) == len(names) else None


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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save_array(path: Path, features: np.ndarray) -> None:
    with path.open("wb") as file:  # np.save adds a suffix to a name, not to a file
        np.save(file, features.astype(np.float32, copy=False), allow_pickle=False)


def _save_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
