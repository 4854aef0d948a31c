"""Send every verdict of a line to a machine: at least once, in order, whatever is killed meanwhile.

The records are the outbox: a verdict is committed there before anything else happens, and its
number is its place in the order. A file beside them, `outbox/<receiver>`, holds the number up to
which a receiver has confirmed everything. A process that dies before it wrote that number sends the
last verdicts again, under the same ids.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.watch.records import FILE, Records, Row

FOLDER = "outbox"
_NAMESPACE = uuid.UUID("3c1f7c1e-35a6-5d0b-9a51-3d8a0f0f8a07")
_AT_ONCE = 100
"""Verdicts that are read at once, and at most sent again after a kill."""
_LOOK = 0.2
"""Seconds after which the records are looked at where nobody says that there is something new."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_PATIENCE = 10.0
"""Seconds without progress after which a process that wants to end leaves the rest for the next."""


@dataclass(frozen=True)
class Message:
    """A verdict as it is sent: its id, and the body, JSON in UTF-8."""

    id: str
    body: bytes


class NotDelivered(Exception):
    """The receiver did not confirm; its text says why."""


class Receiver(Protocol):
    """Where verdicts are sent."""

    name: str

    def send(self, message: Message) -> None:
        """Return once the receiver has confirmed the message; raise NotDelivered if it did not."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def message_of(row: Row) -> Message:
    """Return the message about an image; sending it again gives the same bytes.

    Its `verdict` is the folder that the image is moved to.
    """
    content = [str(row.number), row.name, row.sha256, row.at, row.model]
    id = str(uuid.uuid5(_NAMESPACE, "\x1f".join(content)))
    data = {
        "number": row.number,
        "name": row.name,
        "sha256": row.sha256,
        "verdict": row.folder,
        "class": row.class_,
        "defect_score": row.defect_score,
        "novelty": row.novelty,
        "probabilities": None if row.probabilities is None else json.loads(row.probabilities),
        "reason": row.reason,
        "model": row.model,
    }
    body = {"id": id, "type": "verdict", "timestamp": row.at, "data": data}
    return Message(id, json.dumps(body, ensure_ascii=False).encode())


def pause_before(attempt: int) -> float:
    """Return the seconds to wait before sending again: doubled each time, a minute at most.

    >>> [pause_before(attempt) for attempt in (1, 2, 3, 20)]
    [0.5, 1.0, 2.0, 60.0]
    """
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 20))


class Sender:
    """Send a line's verdicts to one receiver, in a thread of its own, so that sorting never waits.

    A receiver that is named for the first time gets the verdicts from then on.

    Args:
        to: The line's folder, whose records exist.
        receiver: Where they go.
        say: Called with a line when deliveries begin to fail, and when they go on.
        pause: Seconds before the n-th attempt to send the same verdict again.

    Raises:
        UserError: The note of what was sent is damaged.
    """

    def __init__(
        self,
        to: Path,
        receiver: Receiver,
        say: Callable[[str], None],
        pause: Callable[[int], float] = pause_before,
    ) -> None:
        self.name = receiver.name
        self._to, self._receiver, self._say, self._pause = to, receiver, say, pause
        self._file = to / FOLDER / receiver.name
        self._news, self._ended = threading.Event(), threading.Event()
        self._trouble: BaseException | None = None
        self._written = 0
        self._done = self._written = self._confirmed()
        self._moved = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=receiver.name, daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Say that there may be new verdicts.

        Raises:
            Exception: Whatever nobody expected in the thread that sends.
        """
        self._news.set()
        if self._trouble:
            raise self._trouble

    def finish(self, patience: float = _PATIENCE) -> int:
        """Send what waits, as long as the receiver takes it; return how many are left.

        Args:
            patience: Seconds without progress after which the rest is left for the next process.
        """
        self.tell()
        self._moved = time.monotonic()
        while self._left() and time.monotonic() - self._moved < patience:
            self.tell()
            time.sleep(0.02)
        return self._left()

    def close(self) -> None:
        """End the thread; what was not confirmed is sent by the next process."""
        self._ended.set()
        self._news.set()
        self._thread.join(timeout=_PATIENCE)

    def _left(self) -> int:
        with _records(self._to) as records:
            return records.count("number > ?", self._done)

    def _confirmed(self) -> int:
        try:
            return int(self._file.read_text())
        except FileNotFoundError:
            with _records(self._to) as records:
                last = records.rows("1", order="number DESC", limit=1)
            self._write(last[0].number if last else 0)
            return self._written
        except ValueError:
            raise UserError(
                f"{self._file} is damaged: write the number of the last verdict that the receiver"
                " has into it, or delete it to send only new ones"
            ) from None

    def _write(self, number: int) -> None:
        def write(beside: Path) -> None:
            beside.write_text(f"{number}\n", "ascii")

        write_atomically(self._file, write)
        self._written = number

    def _run(self) -> None:
        try:
            with closing(self._receiver):
                failures = 0
                while not self._ended.is_set():
                    try:
                        with _records(self._to) as records:
                            while not self._ended.is_set():
                                self._news.clear()
                                if not self._send_some(records):
                                    self._news.wait(_LOOK)
                                failures = 0
                    except (UserError, OSError) as problem:
                        # Records that are locked, a full disk: no reason to stop the line.
                        failures += 1
                        if failures == 1:
                            self._say(f"{self.name}: {problem}; the verdicts wait")
                        self._ended.wait(self._pause(failures))
                with suppress(OSError):  # then these verdicts are sent again
                    self._note()
        except BaseException as error:
            self._trouble = error  # raised in the thread that sorts, see `tell`

    def _send_some(self, records: Records) -> bool:
        """Send the next verdicts; tell whether there were any."""
        rows = records.rows("number > ?", self._done, limit=_AT_ONCE)
        for row in rows:
            if not self._delivered(message_of(row)):
                break
            self._done, self._moved = row.number, time.monotonic()
        self._note()
        return bool(rows)

    def _note(self) -> None:
        if self._done > self._written:
            self._write(self._done)

    def _delivered(self, message: Message) -> bool:
        """Send until it is confirmed; False: the process ends first."""
        attempt = 0
        while not self._ended.is_set():
            try:
                self._receiver.send(message)
            except NotDelivered as problem:
                attempt += 1
                if attempt == 1:
                    self._note()
                    self._say(f"{self.name}: {problem}; the verdicts wait")
                self._ended.wait(self._pause(attempt))
            else:
                if attempt:
                    self._say(f"{self.name}: the verdicts go on")
                return True
        return False


def _records(to: Path) -> closing[Records]:
    """Open the records in the thread that uses them: SQLite's connections belong to one."""
    return closing(Records(to / FILE))
