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
from alvision.watch.sampling import share_of

FILE = "watch.db"
VERSION = 2
_MEASURED = "model = ? AND facts IS NOT NULL"
_SCHEMA = """
CREATE TABLE image (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, at TEXT NOT NULL,
  model TEXT NOT NULL, folder TEXT NOT NULL, file TEXT NOT NULL UNIQUE COLLATE NOCASE,
  state TEXT NOT NULL, class TEXT, defect_score REAL, novelty REAL, probabilities TEXT,
  reason TEXT NOT NULL, audit INTEGER NOT NULL, worth REAL, facts BLOB,
  queue TEXT, sheet TEXT, queued INTEGER NOT NULL DEFAULT 0, share REAL NOT NULL DEFAULT 0,
  UNIQUE (name, sha256));
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
_SINCE_VERSION_2 = """
CREATE INDEX image_passed ON image (model, number, share) WHERE folder = 'pass';
CREATE TABLE undecoded (name TEXT PRIMARY KEY, mark TEXT NOT NULL, since REAL NOT NULL);
"""


@dataclass(frozen=True)
class Row:
    """The record of one image.

    Attributes:
        name: Path in the inbox, with `/`.
        sha256: Hash of its bytes; the same name with the same bytes is the same image.
        at: When it was judged, UTC.
        model: The model that decided, see `judge.Judge.model`.
        folder: `pass`, `reject`, `human`, `new` or `broken`.
        file: Where it goes, below the folder of the line.
        state: `moving`, `moved`, or `gone` if it was taken away before it could be moved.
        class_: The likeliest class; None if it is broken, like all that follows.
        defect_score: Probability that it is defective.
        novelty: Above 1, the image is unlike all known ones.
        probabilities: Of each class, as JSON.
        reason: Why it is broken, else empty.
        audit: 1 if it passes and was drawn at random for people to check.
        share: Share of the passing images that was drawn while it was judged.
        worth: How much a label would tell.
        facts: The statistics that drift is tested on, float32.
        queue: Its file in the queue for labelling, if it is there.
        sheet: The table that lists it.
        queued: 1 once that file is there.
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
    share: float = 0.0
    number: int = 0


@dataclass(frozen=True)
class DriftRecord:
    """One test for drift: the n-th of its week, its last image, what changed (clearest first)."""

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
            # A row must survive a loss of power, because its file is moved right after it.
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0 and not self._all("SELECT 1 FROM sqlite_master"):
                script = f"{_SCHEMA} {_SINCE_VERSION_2} PRAGMA user_version = {VERSION};"
                self._database.executescript(f"BEGIN; {script} COMMIT;")
            elif version == 1:
                self._add_shares()
            elif version != VERSION:
                raise UserError(
                    f"{path} was written by another version of alvision: name another to="
                )

    def _add_shares(self) -> None:
        """Bring a file of version 1 up to date, whose rows do not say the share of the audit."""
        with self.writing():
            self._database.execute("ALTER TABLE image ADD COLUMN share REAL NOT NULL DEFAULT 0")
            for (model,) in self._all("SELECT DISTINCT model FROM image WHERE folder = 'pass'"):
                query = "SELECT name, sha256, audit FROM image WHERE folder = 'pass' AND model = ?"
                share = share_of(
                    (name, sha, bool(taken)) for name, sha, taken in self._all(query, model)
                )
                self._database.execute("UPDATE image SET share = ? WHERE model = ?", (share, model))
            for statement in filter(str.strip, _SINCE_VERSION_2.split(";")):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all that is written inside, or nothing; it is on the disk afterwards."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")  # take the write lock now, not halfway
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def add(self, row: Row) -> None:
        """Add an image."""
        values = {_column(name): value for name, value in asdict(row).items() if name != "number"}
        marks = ", ".join("?" * len(values))
        self._database.execute(
            f"INSERT INTO image ({', '.join(values)}) VALUES ({marks})", [*values.values()]
        )
        self._database.execute("DELETE FROM undecoded WHERE name = ?", (row.name,))

    def change(self, number: int, **values: Any) -> None:
        """Change columns of an image."""
        columns = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE image SET {columns} WHERE number = ?"
        self._database.execute(query, [*values.values(), number])

    def known(self, name: str, sha256: str) -> Row | None:
        """Return the row of an image, if it has one."""
        found = self.rows("name = ? AND sha256 = ?", name, sha256)
        return found[0] if found else None

    def taken(self, file: str) -> bool:
        """Tell whether an image has this file."""
        return bool(self._all("SELECT 1 FROM image WHERE file = ?", file))

    def rows(self, where: str, *values: Any, order: str = "number", limit: int = -1) -> list[Row]:
        """Return the images for which an SQL condition holds."""
        query = f"SELECT * FROM image WHERE {where} ORDER BY {order} LIMIT {limit}"
        return [_row(found) for found in self._all(query, *values)]

    def count(self, where: str, *values: Any) -> int:
        """Return for how many images an SQL condition holds."""
        return int(self._all(f"SELECT count(*) FROM image WHERE {where}", *values)[0][0])

    def passed(self, model: str, *, after: int, last: int) -> dict[float, int]:
        """Return how many images of a stretch passed, by the share that was drawn meanwhile."""
        query = (
            "SELECT share, count(*) FROM image WHERE folder = 'pass' AND model = ? "
            "AND number > ? AND number <= ? GROUP BY share"
        )
        return {share: int(count) for share, count in self._all(query, model, after, last)}

    def first_undecoded(self, name: str, mark: str, now: float) -> float:
        """Return when a file with these marks was first found not to decode, in seconds.

        It is kept here, because a process that works once and ends cannot wait for a slow writer.
        """
        query = "SELECT since FROM undecoded WHERE name = ? AND mark = ? AND since <= ?"
        if found := self._all(query, name, mark, now):
            return float(found[0]["since"])
        with self.writing():
            self._database.execute(
                "INSERT OR REPLACE INTO undecoded VALUES (?, ?, ?)", (name, mark, now)
            )
        return now

    def measured(self, model: str, *, limit: int) -> list[Row]:
        """Return the newest images of a model that have statistics, the latest first."""
        return self.rows(_MEASURED, model, order="number DESC", limit=limit)

    def measured_since(self, model: str, number: int) -> int:
        """Return how many images of a model with statistics came after an image."""
        return self.count(f"number > ? AND {_MEASURED}", number, model)

    def broken(self, model: str, *, limit: int) -> list[Row]:
        """Return the latest broken files while a model was in force, the latest first."""
        where = "model = ? AND folder = 'broken'"
        return self.rows(where, model, order="number DESC", limit=limit)

    def folders(self, where: str = "1", *values: Any) -> dict[str, int]:
        """Return how many images went into each folder."""
        query = f"SELECT folder, count(*) FROM image WHERE {where} GROUP BY folder"
        return {name: int(count) for name, count in self._all(query, *values)}

    def add_drift_test(self, model: str, test: DriftRecord) -> None:
        """Add a test for drift."""
        self._database.execute(
            "INSERT INTO look (at, week, nth, model, upto, images, level, chances, alarmed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                test.at,
                test.week,
                test.nth,
                model,
                test.upto,
                test.images,
                test.level,
                test.chances.astype(np.float64).tobytes(),
                json.dumps(test.alarmed, ensure_ascii=False),
            ),
        )

    def drift_tests_in(self, week: str) -> int:
        """Return how many tests a week had, of all models: they share its false alarms."""
        return int(self._all("SELECT count(*) FROM look WHERE week = ?", week)[0][0])

    def drift_tests(self, model: str, *, limit: int = -1) -> list[DriftRecord]:
        """Return the tests of a model's images, the latest first."""
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


def statistics_of(rows: Sequence[Row]) -> np.ndarray:
    """Return the statistics of images, [N, S]."""
    return np.stack([np.frombuffer(row.facts or b"", np.float32) for row in rows])
