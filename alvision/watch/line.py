"""Watch a folder: judge each image that arrives, once, and put it where it belongs.

A row is committed before its file is moved, and a row says where the file goes. So a process that
was killed at any moment has lost nothing: the next one moves what has a row and was not moved, and
an image that has a row is never judged again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from alvision.data.images import UnreadableImage, load
from alvision.data.threads import ordered_map
from alvision.deploy.bundle.bundle import file_hash
from alvision.watch import drift
from alvision.watch.inbox import Arrived, Inbox, Mark, marks, move
from alvision.watch.judge import Judge, draw
from alvision.watch.records import DriftRecord, Records, Row, facts_of

BATCH = 32
BROKEN_AFTER = 30.0
"""Seconds that a file must lie still before it is called broken rather than unfinished."""


@dataclass(frozen=True)
class Setting:
    """What is watched, and how.

    Attributes:
        bundle: The bundle's folder.
        inbox: Where images arrive.
        to: Where they go, with the records, the queue and the page.
        audit: Share of the images that pass which people look at, drawn at random.
        batch: Doubtful and novel images a day that are queued for labelling.
        settle: Seconds that a file must lie still before it is taken for whole.
        labels: Store of the answers; None: the one beside the queue, which `alvision label` and
            `alvision labels import` write for `data.root=<to>/queue`.
    """

    bundle: Path
    inbox: Path
    to: Path
    audit: float = 0.05
    batch: int = 100
    settle: float = 2.0
    labels: str | None = None


class Read(NamedTuple):
    """A file that was read: its bytes' hash, and its pixels or why it is broken."""

    arrived: Arrived
    sha256: str
    pixels: np.ndarray | str


class Line:
    """A watched line; `watch_open.open_line` makes one.

    Attributes:
        setting: What is watched.
        judge: The bundle in force; another one at its place is taken up before the next images.
        records: One row an image.
        inbox: Where images arrive.
        waiting: Files of the last step that lie still and could not be read yet.
    """

    def __init__(self, setting: Setting, judge: Judge, records: Records) -> None:
        self.setting, self.judge, self.records = setting, judge, records
        self.inbox = Inbox(setting.inbox, setting.settle)
        self.waiting = 0

    def finish_moves(self) -> int:
        """Move what an earlier process judged and did not move; return how many."""
        rows = self.records.rows("state = 'moving'")
        self._move([(row, self.setting.inbox / PurePosixPath(row.name), None) for row in rows])
        return len(rows)

    def step(self, say: Callable[[Counter[str]], None] = lambda counts: None) -> Counter[str]:
        """Judge and move what has arrived; return how many images went into each folder.

        Args:
            say: Called after each batch with its counts.
        """
        if self.judge.replaced:
            self.judge = Judge(self.setting.bundle)
        self.waiting = 0
        counts: Counter[str] = Counter()
        cores = os.cpu_count() or 1
        read = ordered_map(self._read, self.inbox.scan(), workers=cores, ahead=2 * BATCH)
        while batch := list(islice(read, BATCH)):
            self.waiting += batch.count(None)
            told = self._sort([one for one in batch if one is not None])
            counts.update(told)
            say(told)
        return counts

    def _read(self, arrived: Arrived) -> Read | None:
        """Read a file; None if it must be waited for."""
        pixels: np.ndarray | str
        try:
            sha256 = file_hash(arrived.path)
            try:
                pixels = load(arrived.path, self.judge.bundle.spec)
            except UnreadableImage as error:
                pixels = error.reason
            changed = marks(arrived.path) != arrived.mark
        except (FileNotFoundError, PermissionError):  # taken away, or held by who writes it
            return None
        if changed or (isinstance(pixels, str) and arrived.rest < BROKEN_AFTER):
            return None
        return Read(arrived, sha256, pixels)

    def _sort(self, batch: Sequence[Read]) -> Counter[str]:
        known = [self.records.known(one.arrived.name, one.sha256) for one in batch]
        fresh = [one for one, row in zip(batch, known, strict=True) if row is None]
        rows = self._judged(fresh)
        with self.records.writing():
            for row in rows:
                self.records.add(row)
        # An image that is delivered once more has its row and its place already.
        written = [self.records.known(one.arrived.name, one.sha256) for one in batch]
        self._move(
            [
                (row, one.arrived.path, one.arrived.mark)
                for one, row in zip(batch, written, strict=True)
                if row is not None
            ]
        )
        self._look()
        return Counter(row.folder for row in rows)

    def _judged(self, fresh: Sequence[Read]) -> list[Row]:
        whole = [one.pixels for one in fresh if isinstance(one.pixels, np.ndarray)]
        told = iter(self.judge.row_values(np.stack(whole)) if whole else [])
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows: list[Row] = []
        for one in fresh:
            row = Row(one.arrived.name, one.sha256, now, self.judge.model, "broken", "")
            if isinstance(one.pixels, str):
                row = replace(row, reason=one.pixels)
            else:
                row = replace(row, **next(told))
                drawn = draw(row.name, row.sha256) < self.setting.audit
                row = replace(row, audit=int(drawn and row.folder == "pass"))
            rows.append(replace(row, file=self._free(row, rows)))
        return rows

    def _free(self, row: Row, others: Sequence[Row] = ()) -> str:
        """Return a place below `to` that no other file has, under its own name if that is free."""
        path = PurePosixPath(row.folder) / row.name
        taken = {other.file.casefold() for other in others}
        number = 0
        while True:
            extra = ("", f"-{row.sha256[:12]}", f"-{row.sha256[:12]}-{number}")[min(number, 2)]
            file = f"{path.with_suffix('')}{extra}{path.suffix}"
            there = file.casefold() in taken or self.records.taken(file)
            if not there and not (self.setting.to / file).exists():
                return file
            number += 1

    def _move(self, rows: Sequence[tuple[Row, Path, Mark | None]]) -> None:
        """Bring images to the places that their rows name, whatever was done of it already."""
        changed = []
        for row, source, mark in rows:
            state = self._brought(row, source, mark)
            if state != row.state:
                changed.append((row.number, state))
        if changed:
            with self.records.writing():
                for number, state in changed:
                    self.records.change(number, state=state)

    def _brought(self, row: Row, source: Path, mark: Mark | None) -> str:
        try:
            here = marks(source) == mark or file_hash(source) == row.sha256
        except FileNotFoundError:
            here = False
        target = self.setting.to / row.file
        if not here:
            # Taken away or written anew in the inbox, before it could be moved.
            return "gone" if row.state == "moving" and not target.exists() else "moved"
        try:
            move(source, target, row.sha256)
        except PermissionError:
            if os.name != "nt":
                raise
            return row.state  # held open by a scanner: it stays in the inbox and is tried again
        except FileExistsError:
            file = self._free(row)
            with self.records.writing():
                self.records.change(row.number, file=file)
            move(source, self.setting.to / file, row.sha256)
        return "moved"

    def _look(self) -> None:
        """Look for drift if enough images have come since the last look."""
        judge, records, own = self.judge, self.records, "model = ? AND facts IS NOT NULL"
        last = records.drift_tests(judge.model, limit=1)
        since = last[0].upto if last else 0
        if records.count(f"number > ? AND {own}", since, judge.model) < drift.EVERY:
            return
        rows = records.rows(own, judge.model, order="number DESC", limit=max(drift.WINDOWS))
        now = datetime.now(UTC)
        week = f"{now:%G-W%V}"
        nth = last[0].nth + 1 if last and last[0].week == week else 1
        found = drift.run_test(judge.reference.facts, facts_of(rows[::-1]), number=nth)
        if found is None:
            return
        looked = DriftRecord(
            now.isoformat(timespec="seconds"),
            week,
            nth,
            rows[0].number,
            len(rows),
            found.level,
            found.chances.min(axis=0),
            [judge.statistics[fact] for fact in found.alarmed],
        )
        with records.writing():
            records.add_drift_test(judge.model, looked)
