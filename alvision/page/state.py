"""All that the server knows between two requests: the log as it stands, and the round's files."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from alvision.core.records import Answer, Event, SampleId
from alvision.labels.classes import added_defects
from alvision.labels.content import resolver
from alvision.labels.leases import Leases
from alvision.labels.ledger import Ledger
from alvision.labels.presence import Presence
from alvision.page.context import Setting
from alvision.page.counters import Tally
from alvision.page.images import Pictures
from alvision.page.run_follower import Watch

_LOOK_SECONDS = 0.2
"""How often the round's files are looked at, at most."""

_SEEN_SECONDS = 10.0
"""How often a person's presence is written down, at most."""

_LEASE_SECONDS = 90.0
"""How long an image waits for somebody who was cut off; an open page renews it all the time."""


class Board:
    """Hold the state in memory, so that no request walks through the pool or the log.

    Every method is called with `lock` held.

    Args:
        setting: The data set, the run and the store.
        clock: Gives seconds that only grow.
    """

    def __init__(self, setting: Setting, clock: Callable[[], float] = time.monotonic) -> None:
        self.setting = setting
        self.lock = threading.RLock()
        self.pictures = Pictures(setting.paths, setting.secret, setting.cache, setting.value_range)
        self.watch = Watch(setting.root)
        self.leases = Leases(setting.store, seconds=_LEASE_SECONDS)
        self.presence = Presence(setting.store)
        self._clock = clock
        self._looked = -_LOOK_SECONDS
        self._seen: dict[str, float] = {}
        self._here: tuple[float, frozenset[str]] = (-_SEEN_SECONDS, frozenset())
        self._hashes: dict[SampleId, tuple[tuple[int, int], str]] = {}
        self.changed: set[SampleId] = set()
        """Images whose words changed since somebody emptied this set."""
        self.watch.refresh()
        self.know({})

    def know(self, hashes: Mapping[SampleId, str]) -> None:
        """Read the log anew, with the images' hashes: an event belongs to bytes, not to a name.

        Until the loop's process has hashed every image, `hashes` is empty and ids decide.
        """
        resolve = resolver(self.setting.paths, hashes)
        self.ledger = Ledger(self.setting.store, resolve, self.setting.classes)
        self.tally = Tally(self.ledger, resolve, self.watch.expected)
        self._added_defects: frozenset[str] = frozenset()
        self.changed |= self.setting.paths.keys()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have written to the log and to the run's folder."""
        self.look()
        self._take(self.ledger.refresh())

    def look(self) -> None:
        """Look at the run's folder, if that was some moments ago."""
        now = self._clock()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self.watch.refresh()

    def append(self, events: Iterable[Answer]) -> None:
        """Put events into the store, and everything else that is new there into memory."""
        pin = self.ledger.pin
        slice_ = self.setting.store.append(events, since=pin, hash_of=self.hash_of)
        self.ledger.take(slice_.events)
        self._take(slice_.events)

    def seen(self, by: str) -> None:
        """Record that a person is here and holds on to their images, if that is news."""
        now = self._clock()
        if now - self._seen.get(by, -_SEEN_SECONDS) >= _SEEN_SECONDS:
            self._seen[by] = now
            self.presence.seen(by)
            self.leases.renew(by)
            self._here = (-_SEEN_SECONDS, frozenset())

    def here(self) -> frozenset[str]:
        """Return who is here, as of a few seconds ago at most."""
        now = self._clock()
        if now - self._here[0] >= _SEEN_SECONDS / 5:
            self._here = (now, frozenset(self.presence.here()))
        return self._here[1]

    def defects(self) -> frozenset[str]:
        """Return the keys of the classes that are defects."""
        return frozenset(self.setting.defects) | self._added_defects

    def _take(self, new: Sequence[Event]) -> None:
        self.changed |= self.tally.take(new)
        self._added_defects |= added_defects(new)

    def hash_of(self, id: SampleId) -> str | None:
        """Return the sha256 of an image's bytes of now; None without an image or a file.

        It is kept for as long as the file does not change. This method alone needs no lock, so that
        a picture's hash is there before its answer comes.
        """
        path = self.setting.paths.get(id)
        try:
            return None if path is None else self._hash_file(id, path)
        except OSError:
            return None

    def _hash_file(self, id: SampleId, path: Path) -> str:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns)
        if self._hashes.get(id, (None,))[0] != stamp:
            with path.open("rb") as file:
                self._hashes[id] = (stamp, hashlib.file_digest(file, "sha256").hexdigest())
        return self._hashes[id][1]
