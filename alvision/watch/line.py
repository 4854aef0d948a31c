"""Watch a folder: run the model once on each image that arrives, and move the image.

A row is committed before its file is moved, and the row says where the file goes. So a process that
is killed at any moment loses nothing: the next one moves the files that have a row and were not
moved, and an image that has a row is never judged again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from alvision.core.errors import UserError
from alvision.core.uris import local_place, make_local_place
from alvision.data.hashes import file_hash
from alvision.data.images import UnreadableImage, load
from alvision.data.storage.client import ChangedObject
from alvision.data.storage.stored_path import ImagePath, StoredPath
from alvision.data.threads import ordered_map
from alvision.data.tiles import together
from alvision.labels.location import on_network
from alvision.watch import drift
from alvision.watch.bucket import Bucket, fetch_away
from alvision.watch.inbox import Arrived, Inbox, Mark, marks, move
from alvision.watch.judge import Judge
from alvision.watch.records import FILE, DriftRecord, Records, Row, statistics_of
from alvision.watch.sampling import draw

LOCK = ".alvision-watch.lock"
BATCH = 32
"""Images that are judged, recorded and moved together: one commit for all of them."""
BROKEN_AFTER = 30.0
"""Seconds that a file must not decode before it is called broken: some cameras pause while they
write."""


@dataclass(frozen=True)
class Setting:
    """The settings of a watched line.

    Attributes:
        bundle: The bundle's folder.
        inbox: Where images arrive.
        to: Where they go, with the records, the queue and the page.
        audit: Share of the passing images that people check, drawn at random.
        batch: Doubtful and novel images that are queued for labelling a day.
        settle: Seconds of rest before a file counts as complete.
        labels: Store of the answers; None: the one beside the queue, which `alvision label` and
            `alvision labels import` write for `data.root=<to>/queue`.
    """

    bundle: Path
    inbox: ImagePath
    to: Path
    audit: float = 0.05
    batch: int = 100
    settle: float = 2.0
    labels: str | None = None


class Read(NamedTuple):
    """A file that was read: the hash of its bytes, and its pixels or why it is broken."""

    arrived: Arrived
    sha256: str
    pixels: np.ndarray | str


class Line:
    """A watched line; `open_line` opens one.

    Attributes:
        setting: Its settings.
        judge: The bundle in force; a new one in its folder takes over before the next images.
        records: One row per image.
        inbox: Where images arrive.
        waiting: Files of the last step that were at rest and could not be read yet.
    """

    def __init__(self, setting: Setting, judge: Judge, records: Records) -> None:
        self.setting, self.judge, self.records = setting, judge, records
        self.inbox: Inbox | Bucket = (
            Bucket(setting.inbox)
            if isinstance(setting.inbox, StoredPath)
            else Inbox(setting.inbox, setting.settle)
        )
        self.waiting = 0

    def finish_moves(self) -> int:
        """Move the images that an earlier process judged and did not move; return how many."""
        rows = self.records.rows("state = 'moving'")
        there: Mapping[str, ImagePath] = self.inbox.paths() if rows else {}
        self._move(
            [(row, there.get(row.name, self.setting.inbox / row.name), None) for row in rows]
        )
        return len(rows)

    def step(self, say: Callable[[Counter[str]], None] = lambda counts: None) -> Counter[str]:
        """Judge and move the images that have arrived; return how many went into each folder.

        Args:
            say: Called after each batch with its counts.
        """
        if self.judge.replaced:
            self.judge = Judge(self.setting.bundle)
        self.waiting = 0
        counts: Counter[str] = Counter()
        cores = os.cpu_count() or 1
        size = together(self.judge.bundle.spec, BATCH)
        read = ordered_map(self._read, self.inbox.scan(), workers=cores, ahead=2 * size)
        while batch := list(islice(read, size)):
            whole = [one for one in batch if one is not None and not self._unfinished(one)]
            self.waiting += len(batch) - len(whole)
            sorted_now = self._sort(whole)
            counts.update(sorted_now)
            say(sorted_now)
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
        except (FileNotFoundError, PermissionError, ChangedObject):  # taken away, held, replaced
            return None
        return None if changed else Read(arrived, sha256, pixels)

    def _unfinished(self, one: Read) -> bool:
        """Tell whether a file does not decode, and its writer may only be pausing."""
        if isinstance(one.pixels, np.ndarray):
            return False
        now, name = time.time(), one.arrived.name
        since = self.records.first_undecoded(name, str(one.arrived.mark), now)
        return now - since < BROKEN_AFTER

    def _sort(self, batch: Sequence[Read]) -> Counter[str]:
        known = [self.records.known(one.arrived.name, one.sha256) for one in batch]
        fresh = [one for one, row in zip(batch, known, strict=True) if row is None]
        rows = self._judged(fresh)
        with self.records.writing():
            for row in rows:
                self.records.add(row)
        # An image that is delivered again has its row and its place already.
        written = [self.records.known(one.arrived.name, one.sha256) for one in batch]
        self._move(
            [
                (row, one.arrived.path, one.arrived.mark)
                for one, row in zip(batch, written, strict=True)
                if row is not None
            ]
        )
        self._test_drift()
        return Counter(row.folder for row in rows)

    def _judged(self, fresh: Sequence[Read]) -> list[Row]:
        whole = [one.pixels for one in fresh if isinstance(one.pixels, np.ndarray)]
        values = iter(self.judge.row_values(np.stack(whole)) if whole else [])
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows: list[Row] = []
        for one in fresh:
            row = Row(
                one.arrived.name,
                one.sha256,
                now,
                self.judge.model,
                "broken",
                "",
                share=self.setting.audit,
            )
            if isinstance(one.pixels, str):
                row = replace(row, reason=one.pixels)
            else:
                row = replace(row, **next(values))
                drawn = draw(row.name, row.sha256) < self.setting.audit
                row = replace(row, audit=int(drawn and row.folder == "pass"))
            rows.append(replace(row, file=self._free(row, rows)))
        return rows

    def _free(self, row: Row, others: Sequence[Row] = ()) -> str:
        """Return a free path below `to`, under the image's own name if possible."""
        path = PurePosixPath(row.folder) / row.name
        # Without case: "A.png" and "a.png" are one file on the disks of most shops.
        taken = {other.file.casefold() for other in others}
        number = 0
        while True:
            extra = ("", f"-{row.sha256[:12]}", f"-{row.sha256[:12]}-{number}")[min(number, 2)]
            file = f"{path.with_suffix('')}{extra}{path.suffix}"
            there = file.casefold() in taken or self.records.taken(file)
            if not there and not (self.setting.to / file).exists():
                return file
            number += 1

    def _move(self, rows: Sequence[tuple[Row, ImagePath, Mark | None]]) -> None:
        """Move images to the paths in their rows, whatever part of it was done already."""
        changed = []
        for row, source, mark in rows:
            state = self._state_after_move(row, source, mark)
            if state != row.state:
                changed.append((row.number, state))
        if changed:
            with self.records.writing():
                for number, state in changed:
                    self.records.change(number, state=state)

    def _state_after_move(self, row: Row, source: ImagePath, mark: Mark | None) -> str:
        try:
            here = marks(source) == mark or file_hash(source) == row.sha256
        except (FileNotFoundError, ChangedObject):
            here = False
        target = self.setting.to / row.file
        if not here:
            # It was taken away or overwritten in the inbox before it could be moved.
            return "gone" if row.state == "moving" and not target.exists() else "moved"
        try:
            _take(source, target, row.sha256)
        except PermissionError:
            if os.name != "nt":
                raise
            return row.state  # held open, by a virus scanner perhaps: try again with the next step
        except FileExistsError:
            file = self._free(row)
            with self.records.writing():
                self.records.change(row.number, file=file)
            _take(source, self.setting.to / file, row.sha256)
        return "moved"

    def _test_drift(self) -> None:
        """Test for drift if enough images have come since the last test."""
        judge, records = self.judge, self.records
        last = records.drift_tests(judge.model, limit=1)
        if records.measured_since(judge.model, last[0].upto if last else 0) < drift.EVERY:
            return
        rows = records.measured(judge.model, limit=max(drift.WINDOWS))
        now = datetime.now(UTC)
        week = f"{now:%G-W%V}"
        nth = 1 + records.drift_tests_in(week)
        found = drift.run_test(judge.reference.values, statistics_of(rows[::-1]), number=nth)
        if found is None:
            return
        test = DriftRecord(
            at=now.isoformat(timespec="seconds"),
            week=week,
            nth=nth,
            upto=rows[0].number,
            images=len(rows),
            level=found.level,
            chances=found.chances.min(axis=0),
            alarmed=[judge.statistics[number] for number in found.alarmed],
        )
        with records.writing():
            records.add_drift_test(judge.model, test)


@contextmanager
def open_line(setting: Setting) -> Iterator[Line]:
    """Open a line for this process alone; everything is checked before anything is written.

    Raises:
        UserError: A folder is missing or is inside another one, the bundle cannot be used, or
            another process watches here.
    """
    if isinstance(setting.inbox, Path) and not setting.inbox.is_dir():
        raise UserError(f"images={setting.inbox} is not a folder: check the path")
    judge = Judge(setting.bundle)
    _check_places(setting)
    setting.to.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # Both folders: two lines with one inbox would take each other's images away.
        for key, folder in (("to", setting.to), ("images", _lockable(setting.inbox))):
            stack.callback(_locked(key, folder).release)
        records = Records(setting.to / FILE)
        stack.callback(records.close)
        yield Line(setting, judge, records)


def _take(source: ImagePath, target: Path, sha256: str) -> None:
    """Move an image from where it arrived to where it goes; see `inbox.move`."""
    if isinstance(source, StoredPath):
        fetch_away(source, target, sha256)
    else:
        move(source, target, sha256)


def _lockable(inbox: ImagePath) -> Path:
    """Return a folder of this computer to be locked; another computer's line is not seen."""
    if isinstance(inbox, Path):
        return inbox
    make_local_place(inbox.uri)
    return local_place(inbox.uri)


def _locked(key: str, folder: Path) -> FileLock:
    held = FileLock(folder / LOCK)
    try:
        held.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"{key}={folder} is watched by another process: end that one first"
        ) from None
    except (OSError, NotImplementedError) as error:  # the latter: no locks on this file system
        raise UserError(
            f"{key}={folder} cannot be locked for this process alone ({error}): check that it can "
            "be written and is on a drive with locks"
        ) from error
    return held


def _check_places(setting: Setting) -> None:
    to, bundle = setting.to.resolve(), setting.bundle.resolve()
    # Nothing on a disk is inside a bucket.
    inbox = setting.inbox.resolve() if isinstance(setting.inbox, Path) else None
    for inner, outer, problem in (
        (inbox, to, "images= is inside to=, so images that were sorted would be sorted again"),
        (to, inbox, "to= is inside images=, so images that were sorted would be sorted again"),
        (bundle, inbox, "bundle= is inside images=, so its golden images would be sorted"),
        (inbox, bundle, "images= is inside bundle=, which must stay as it was exported"),
        (to, bundle, "to= is inside bundle=, which must stay as it was exported"),
    ):
        if inner and outer and inner.is_relative_to(outer):
            raise UserError(f"{problem}: choose folders apart from each other")
    if on_network(to):
        # SQLite's locks do not hold over a network, so two writers could damage the file.
        raise UserError(
            f"to={setting.to} is on a network drive, where watch.db is not safe: name a folder on "
            "a local disk (images= may be anywhere)"
        )
    if setting.to.exists() and not setting.to.is_dir():
        raise UserError(f"to={setting.to} is a file: name a folder")
