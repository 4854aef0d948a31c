"""The records of a watched line in one SQLite file: a row per image, a row per drift test."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError

FILE = "watch.db"
VERSION = 1
_SCHEMA = """
CREATE TABLE image (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL,
  model TEXT NOT NULL, folder TEXT NOT NULL, file TEXT NOT NULL UNIQUE COLLATE NOCASE,
  state TEXT NOT NULL, class TEXT, defect_score REAL, novelty REAL, probabilities TEXT,
  reason TEXT NOT NULL, audit INTEGER NOT NULL, worth REAL, facts BLOB,
  queue TEXT, sheet TEXT, queued INTEGER NOT NULL DEFAULT 0, UNIQUE (name, sha256));
CREATE INDEX image_state ON image (state) WHERE state = 'moving';
CREATE INDEX image_folder ON image (model, folder, state);
CREATE INDEX image_wanted ON image (worth)
  WHERE queue IS NULL AND (audit OR folder IN ('human', 'new'));
CREATE INDEX image_audit ON image (number) WHERE audit;
CREATE INDEX image_sheet ON image (sheet) WHERE sheet IS NOT NULL;
CREATE INDEX image_queue ON image (number) WHERE queue IS NOT NULL;
CREATE INDEX image_copying ON image (number) WHERE queue IS NOT NULL AND NOT queued;
CREATE TABLE look (
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, week TEXT NOT NULL, nth INTEGER NOT NULL,
  model TEXT NOT NULL, upto INTEGER NOT NULL, images INTEGER NOT NULL, level REAL NOT NULL,
  chances BLOB NOT NULL, alarmed TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Row:
    """What is known of one image.

    Attributes:
        name: Path in the inbox, with `/`.
        sha256: Of its bytes; together with the name it is what makes an image.
        at: When it was judged, UTC.
        model: What judged it.
        folder: `pass`, `reject`, `human`, `new` or `broken`.
        file: Where it goes, below the folder of the line.
        state: `moving`, `moved`, or `gone` if it was taken away before it could be moved.
        class_: The likeliest class; None if it is broken, like all that follows.
        defect_score: Probability that it is defective.
        novelty: Above 1, nothing like it is known.
        probabilities: Of each class, as JSON.
        reason: Why it is broken, else empty.
        audit: It was drawn at random from those that pass.
        worth: How much a label of it would tell.
        facts: What the drift tests look at, float32.
        queue: Its file in the queue for labelling, if it is there.
        sheet: The table that names it there.
        queued: That file is there.
        number: In order of arrival; 0 before it is in the records.
    """

    name: str
    sha256: str
    at: str
    model: str
    folder: str
    file: str
    state: str = "moving"
    class_: str | None = None
    defect_score: float | None = None
    novelty: float | None = None
    probabilities: str | None = None
    reason: str = ""
    audit: int = 0
    worth: float | None = None
    facts: bytes | None = None
    queue: str | None = None
    sheet: str | None = None
    queued: int = 0
    number: int = 0


@dataclass(frozen=True)
class DriftRecord:
    """One look for drift: the n-th of its week, its last image, what changed (clearest first)."""

    at: str
    week: str
    nth: int
    upto: int
    images: int
    level: float
    chances: np.ndarray
    alarmed: list[str]


class Records:
    """Open the records of a line, or create them.

    Args:
        path: The file.

    Raises:
        UserError: Another version or another program wrote the file.
        OSError: The disk is full, or refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0 and not self._all("SELECT 1 FROM sqlite_master"):
                script = f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
                self._database.executescript(script)
            elif version != VERSION:
                raise UserError(
                    f"{path} was written by another version of alvision: name another to="
                )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do all of it or nothing, forced to disk."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def add(self, row: Row) -> None:
        """Write an image down."""
        told = {_column(name): value for name, value in asdict(row).items() if name != "number"}
        marks = ", ".join("?" * len(told))
        self._database.execute(
            f"INSERT INTO image ({', '.join(told)}) VALUES ({marks})", [*told.values()]
        )

    def change(self, number: int, **values: Any) -> None:
        """Change what is known of an image."""
        told = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE image SET {told} WHERE number = ?"
        self._database.execute(query, [*values.values(), number])

    def known(self, name: str, sha256: str) -> Row | None:
        """Return an image's row, if it has one."""
        found = self.rows("name = ? AND sha256 = ?", name, sha256)
        return found[0] if found else None

    def taken(self, file: str) -> bool:
        """Tell whether a place is an image's."""
        return bool(self._all("SELECT 1 FROM image WHERE file = ?", file))

    def rows(self, where: str, *values: Any, order: str = "number", limit: int = -1) -> list[Row]:
        """Return the images that a condition holds for."""
        query = f"SELECT * FROM image WHERE {where} ORDER BY {order} LIMIT {limit}"
        return [_row(found) for found in self._all(query, *values)]

    def count(self, where: str, *values: Any) -> int:
        """Return how many images a condition holds for."""
        return int(self._all(f"SELECT count(*) FROM image WHERE {where}", *values)[0][0])

    def folders(self, where: str = "1", *values: Any) -> dict[str, int]:
        """Return how many images went into each folder."""
        query = f"SELECT folder, count(*) FROM image WHERE {where} GROUP BY folder"
        return {name: int(count) for name, count in self._all(query, *values)}

    def add_drift_test(self, model: str, looked: DriftRecord) -> None:
        """Write a look down."""
        self._database.execute(
            "INSERT INTO look (at, week, nth, model, upto, images, level, chances, alarmed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                looked.at,
                looked.week,
                looked.nth,
                model,
                looked.upto,
                looked.images,
                looked.level,
                looked.chances.astype(np.float64).tobytes(),
                json.dumps(looked.alarmed, ensure_ascii=False),
            ),
        )

    def drift_tests(self, model: str, *, limit: int = -1) -> list[DriftRecord]:
        """Return the looks at a model's images, the latest first."""
        query = f"SELECT * FROM look WHERE model = ? ORDER BY number DESC LIMIT {limit}"
        found = self._all(query, model)
        return [
            DriftRecord(
                one["at"],
                one["week"],
                one["nth"],
                one["upto"],
                one["images"],
                one["level"],
                np.frombuffer(one["chances"], np.float64),
                json.loads(one["alarmed"]),
            )
            for one in found
        ]

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._explained():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            if name == "SQLITE_FULL":
                raise OSError(errno.ENOSPC, "No space left on device", str(self._path)) from error
            if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
                raise UserError(f"{self._path} is damaged: name another to=") from error
            raise UserError(f"{self._path} cannot be read or written ({error})") from error


def _column(name: str) -> str:
    return name.rstrip("_")


def _row(found: sqlite3.Row) -> Row:
    return Row(**{one.name: found[_column(one.name)] for one in fields(Row)})


def facts_of(rows: Sequence[Row]) -> np.ndarray:
    """Return the facts of images, [N, S]."""
    return np.stack([np.frombuffer(row.facts or b"", np.float32) for row in rows])
