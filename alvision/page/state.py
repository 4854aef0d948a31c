"""What the server knows between two requests: its settings, the log, the round's files."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alvision.core.records import Event, SampleId
from alvision.core.utc import now
from alvision.evaluation.metrics import Metric
from alvision.labels.classes import added_defects
from alvision.labels.content import resolver
from alvision.labels.ledger import Ledger
from alvision.labels.presence import Leases, Presence
from alvision.labels.store import LabelStore
from alvision.page.counters import Counters
from alvision.page.image_urls import ServedImages
from alvision.page.run_follower import RunFollower

# A person waits 0.1 s for the next image, so a round that asks may show this much later.
_POLL_SECONDS = 0.2
"""The shortest time between two looks at the round's files."""

# A person counts as gone after 60 s (`labels.presence`), so a note every 10 s keeps them present.
_PRESENCE_SECONDS = 10.0
"""The shortest time between two notes that a person is present."""

# Longer than a dropped connection on a shop floor, shorter than a break; an open page renews.
_LEASE_SECONDS = 90.0
"""How long an image waits for somebody whose connection was lost."""


@dataclass(frozen=True)
class PageContext:
    """Describe what a page is about: one data set, one run and the people's store.

    Attributes:
        root: The run's folder.
        store: The log of all answers.
        paths: The file of each image, by id.
        held_out: The held-out images: asked blind, whatever they are asked for.
        secret: Key of the images' addresses.
        cache: Folder for thumbnails.
        metric: The metric of the learning curve.
        classes: The configured classes; more may be in the log, and none at all at first.
        defects: Those of them that are defects.
        value_range: Raw values (black, white) of images deeper than 8 bits.
        votes: People who answer each image.
        experts: Names of those who get unsure and disputed images first.
        initial: Labels that a run starts from.
        blind: Show what the model thinks only after the answer.
    """

    root: Path
    store: LabelStore
    paths: Mapping[SampleId, Path]
    held_out: frozenset[SampleId]
    secret: bytes
    cache: Path
    metric: Metric
    classes: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    value_range: tuple[float, ...] | None = None
    votes: int = 1
    experts: tuple[str, ...] = ()
    initial: int = 20
    blind: bool = False


class PageState:
    """Hold the log and the run in memory, so that no request reads the pool or the whole log.

    Every method but `hash_of` is called with `lock` held.

    Args:
        context: The data set, the run and the store.
        clock: Gives seconds that only grow.

    Attributes:
        ledger: The log and what follows from it.
        counters: Counts over the log.
        run: The files of the loop's process.
        images: Addresses and pixels of the images.
        leases: Who has which image on the screen.
        presence: Who is labelling.
    """

    def __init__(self, context: PageContext, clock: Callable[[], float] = time.monotonic) -> None:
        self.context = context
        # Requests run in a pool of threads, and each reads the ledger, the counters and the run in
        # several steps that must all see the same moment.
        self.lock = threading.Lock()
        self.images = ServedImages(
            context.paths, context.secret, context.cache, context.value_range
        )
        self.run = RunFollower(context.root)
        self.leases = Leases(context.store, seconds=_LEASE_SECONDS)
        self.presence = Presence(context.store)
        self._clock = clock
        self._polled = -_POLL_SECONDS
        self._noted: dict[str, float] = {}
        self._present: tuple[float, frozenset[str]] = (-_PRESENCE_SECONDS, frozenset())
        self._hashes: dict[SampleId, tuple[tuple[int, int], str]] = {}
        self._changes: set[SampleId] = set()
        self.run.refresh()
        self.rematch({})

    def rematch(self, hashes: Mapping[SampleId, str]) -> None:
        """Read the log anew and match its events to images by their bytes.

        Until the loop's process has hashed every image, `hashes` is empty and ids decide.
        """
        pool = self.context.paths.keys() - self.context.held_out
        resolve = resolver(self.context.paths, hashes, pool=pool)
        self.ledger = Ledger(self.context.store, resolve, self.context.classes)
        self.counters = Counters(self.ledger, resolve, self.run.expected)
        self._added_defects: frozenset[str] = frozenset()
        self._changes |= self.context.paths.keys()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have written to the log and to the run's folder."""
        self.poll()
        self._take(self.ledger.refresh())

    def poll(self) -> None:
        """Read the run's folder if that was not done a moment ago."""
        now = self._clock()
        if now - self._polled >= _POLL_SECONDS:
            self._polled = now
            self.run.refresh()

    def append(self, events: Iterable[Event]) -> None:
        """Put events into the store, and everything else that is new there into memory.

        An event without a time was said just now.
        """
        pin, said = self.ledger.pin, now()
        events = [event if event.time else replace(event, time=said) for event in events]
        answers = self.context.store.append(events, since=pin, hash_of=self.hash_of)
        self.ledger.take(answers.events)
        self._take(answers.events)

    def take_changes(self) -> set[SampleId]:
        """Return the images whose answers changed since the last call, and forget them."""
        changes, self._changes = self._changes, set()
        return changes

    def mark_present(self, by: str) -> None:
        """Note that a person is present, and renew their leases, if the last note is old."""
        now = self._clock()
        if now - self._noted.get(by, -_PRESENCE_SECONDS) >= _PRESENCE_SECONDS:
            self._noted[by] = now
            self.presence.seen(by)
            self.leases.renew(by)
            self._present = (-_PRESENCE_SECONDS, frozenset())

    def present(self) -> frozenset[str]:
        """Return who is present, as of two seconds ago at most."""
        now = self._clock()
        if now - self._present[0] >= _PRESENCE_SECONDS / 5:
            self._present = (now, frozenset(self.presence.here()))
        return self._present[1]

    def defects(self) -> frozenset[str]:
        """Return the keys of the classes that are defects."""
        return frozenset(self.context.defects) | self._added_defects

    def _take(self, new: Sequence[Event]) -> None:
        self._changes |= self.counters.take(new)
        self._added_defects |= added_defects(new)

    def hash_of(self, id: SampleId) -> str | None:
        """Return the sha256 of an image's bytes of now; None without an image or a file.

        It is kept for as long as the file does not change. It needs no lock: a picture's request
        computes the hash in advance, so that storing its answer need not wait for the disk.
        """
        path = self.context.paths.get(id)
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
