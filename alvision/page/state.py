"""What the server knows between two requests: its settings, the log, the round's files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.records import Event, SampleId
from alvision.core.utc import now
from alvision.data.image_spec import ImageSpec
from alvision.data.storage.stored_path import ImagePath
from alvision.evaluation.metrics import Metric
from alvision.labels.classes import marked
from alvision.labels.content import image_of, locator, moves, resolver
from alvision.labels.ledger import Ledger
from alvision.labels.presence import Leases, Presence
from alvision.labels.store import LabelStore
from alvision.page.counters import Counters
from alvision.page.image_urls import Look, ServedImages
from alvision.page.requests import Refused
from alvision.page.rows import ShownRow
from alvision.page.run_follower import RunFollower

if TYPE_CHECKING:
    from alvision.page.grouping import Grouping

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
class Images:
    """List the images of a data set as they are now.

    Attributes:
        paths: The file of each image, by id.
        held_out: The held-out images: asked blind, whatever they are asked for.
        hashes: sha256 of each image's bytes; empty until every image is hashed.
        groups: Which images show one part, by a name for each part.
    """

    paths: Mapping[SampleId, ImagePath]
    held_out: frozenset[SampleId]
    hashes: Mapping[SampleId, str]
    groups: Mapping[SampleId, str] = field(default_factory=dict)


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
        spec: How the network reads images, and so how they are shown.
        set_aside: Files that have no id, and the reason.
        dark: What is to be said where images are read nearly black.
        votes: People who answer each image.
        experts: Names of those who get unsure and disputed images first.
        initial: Labels that a run starts from.
        blind: Show what the model thinks only after the answer.
        grouping: The rules for groups that the first page offers.
        groups: Which images show one part, by a name for each part.
        language: The language of the page; None: as each browser asks.
        rows: What is shown of a table's rows; empty where the data are photographs.
    """

    root: Path
    store: LabelStore
    paths: Mapping[SampleId, ImagePath]
    held_out: frozenset[SampleId]
    secret: bytes
    cache: Path
    metric: Metric
    classes: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    spec: ImageSpec | None = None
    set_aside: Mapping[str, str] = field(default_factory=dict)
    dark: str | None = None
    votes: int = 1
    experts: tuple[str, ...] = ()
    initial: int = 20
    blind: bool = False
    grouping: Grouping | None = None
    groups: Mapping[SampleId, str] = field(default_factory=dict)
    language: str | None = None
    rows: Mapping[SampleId, ShownRow] = field(default_factory=dict)


class PageState:
    """Hold the log and the run in memory, so that no request reads the pool or the whole log.

    Every method but `relist`, `note_looks` and `hash_of` is called with `lock` held.

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
        images_count: How many images there are; exact copies are one.
    """

    def __init__(self, context: PageContext, clock: Callable[[], float] = time.monotonic) -> None:
        self.context = context
        # Requests run in a pool of threads, and each reads the ledger, the counters and the run in
        # several steps that must all see the same moment.
        self.lock = threading.Lock()
        self.images = ServedImages(
            context.paths, context.secret, context.cache, context.spec, context.rows
        )
        self.leases = Leases(context.store, seconds=_LEASE_SECONDS)
        self.presence = Presence(context.store)
        self._clock = clock
        self._polled = -_POLL_SECONDS
        self._noted: dict[str, float] = {}
        self._present: tuple[float, frozenset[str]] = (-_PRESENCE_SECONDS, frozenset())
        self._changes: set[SampleId] = set()
        self._relisting = threading.Lock()
        # Until the loop's process has hashed every image, there are no hashes and ids decide.
        self._go_on_with(Images(context.paths, context.held_out, {}, context.groups))

    def relist(self, now: Images) -> str:
        """Go on with the images of now, and match answers and the run's files to them by bytes.

        The log and the run's files are read anew, without the lock: nobody may wait for that.

        Returns:
            What has happened to images, in a line; empty if nothing has.
        """
        with self._relisting:
            before = self.hashes.items() or self._recorded()
            listed = self.context.paths
            self._go_on_with(now)
            answered = self.ledger.standing
        found = moves(before, now.paths, now.hashes, answered=answered)
        added = len(now.paths.keys() - listed) - found.moved
        return str(replace(found, added=max(0, added)))

    def _recorded(self) -> list[tuple[SampleId, str]]:
        """Return ids and bytes of everything that was answered or is asked for."""
        named = [(event.id, event.sha256) for event in self.ledger.by_uuid.values()]
        named += [(row.id, row.sha256) for row in self.run.asked]
        return [(id, sha256) for id, sha256 in named if id and sha256]

    def note_looks(self, looks: Mapping[SampleId, Look]) -> None:
        """Go on with the bytes that were just seen, where they are not those that were hashed."""
        with self._relisting:
            hashes = {id: look.sha256 for id, look in looks.items() if id in self.hashes}
            if any(self.hashes[id] != sha256 for id, sha256 in hashes.items()):
                context = self.context
                now = Images(
                    context.paths, context.held_out, {**self.hashes, **hashes}, context.groups
                )
                self._go_on_with(now)

    def _go_on_with(self, now: Images) -> None:
        context, locate = self.context, locator(now.paths, now.hashes)
        resolve = resolver(now.paths, now.hashes, pool=now.paths.keys() - now.held_out)
        run = RunFollower(context.root, locate)
        run.refresh()
        ledger = Ledger(context.store, resolve, context.classes)
        counters = Counters(ledger, resolve, run.expected, now.held_out)
        events = ledger.refresh()
        counters.take(events)
        with self.lock:
            self.context = replace(
                context, paths=now.paths, held_out=now.held_out, groups=now.groups
            )
            self.images.relist(now.paths)
            self.hashes, self.locate = now.hashes, locate
            self.run, self.ledger, self.counters = run, ledger, counters
            self.images_count = len({image_of(id, resolve) for id in now.paths})
            self._changes |= now.paths.keys()
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
        return frozenset(marked(self.context.defects, self.ledger.marks))

    def _take(self, new: Sequence[Event]) -> None:
        self._changes |= self.counters.take(new)

    def snippet(self, id: SampleId) -> str | None:
        """Return the beginning of a row that has no image to be shown small; else None."""
        row = self.context.rows.get(id)
        return None if row is None or row.pictured else row.snippet()

    def hash_of(self, id: SampleId) -> str | None:
        """Return the sha256 of an image's bytes of now; None where it cannot be shown."""
        look = self.images.look(id)
        return look.sha256 if look else None

    def seen(self, id: SampleId, sha256: str | None) -> str:
        """Return the bytes that an answer is about: those it names, else the only ones given out.

        Raises:
            Refused: It names none, and none or several were given out.
        """
        found = sha256 or self.images.shown(id)
        if found is None:
            raise Refused(
                "the answer does not say which picture it is about, and the photograph may have "
                "been replaced: load the page again and answer it once more"
            )
        return found

    def find(self, address: str, sha256: str | None = None) -> SampleId | None:
        """Return the image that has these bytes, else the one at an address; None if there is none.

        An answer that waited in a browser may name a photograph that was moved meanwhile.
        """
        id = self.images.id(address)
        return (self.locate(id or "", sha256) if sha256 else None) or id
