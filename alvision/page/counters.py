"""Counts over the log, kept up to date at the cost of what is new."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from statistics import median

from alvision.core.records import Event, SampleId
from alvision.labels.ledger import Ledger
from alvision.labels.voting import disputed

# With 40 of 40 answers predicted, fewer than 8 % are wrong (95 % confidence): worth telling people.
STREAK = 40
"""After so many answers of a class in a row that the model predicted, the page says so."""

# The median of the last answers: a person gets faster, and a break must not count.
_PACE_ANSWERS = 200
_ANSWERS = frozenset({"label", "skip", "unsure"})


class Counters:
    """Count who answered what, how long it took, and what is disputed.

    Args:
        ledger: The log; it takes in new events before these counters do.
        resolve: Finds the image of today that an event is about.
        expected: The class that the model expected of an image when it was chosen.
        held_out: The held-out images.

    Attributes:
        mine: Images that each person answered; exact copies are one image, here and below.
        answers: Answers of all people that count: the sum of `mine`.
        answered: Images with an answer that counts, or a class.
        labels: Those of them with a class.
        held_out: Those of the images with a class that are held out.
        seconds: Seconds spent, undone answers included.
        disputed: Images that people disagree on or were unsure of, see `labels.voting`.
    """

    def __init__(
        self,
        ledger: Ledger,
        resolve: Callable[[Event], SampleId | None],
        expected: Mapping[SampleId, str],
        held_out: Collection[SampleId] = frozenset(),
    ) -> None:
        self._ledger = ledger
        self._held_out = held_out
        self._counted: dict[SampleId, tuple[bool, bool]] = {}
        self._resolve = resolve
        self._expected = expected
        self._answerers: dict[SampleId, tuple[str, ...]] = {}
        self._given: dict[str, list[str]] = {}
        self._pace: deque[float] = deque(maxlen=_PACE_ANSWERS)
        self._streaks: dict[str, deque[bool]] = {}
        self.mine: Counter[str] = Counter()
        self.answers = self.answered = self.labels = self.held_out = 0
        self.seconds = 0.0
        self.disputed: dict[SampleId, None] = {}

    def take(self, new: Iterable[Event]) -> set[SampleId]:
        """Count new events, and return the images that they touch."""
        touched: set[SampleId] = set()
        for event in new:
            if event.kind in _ANSWERS:
                self._answer(event)
            id = self.image(event)
            if id is not None:
                touched.add(id)
        for id in touched:
            self._recount(id)
        return touched

    def image(self, event: Event) -> SampleId | None:
        """Return the image that an event is about; for an undo that of what it takes back."""
        seen = set()
        while event.kind == "undo" and event.uuid not in seen:
            seen.add(event.uuid)
            target = self._ledger.by_uuid.get(event.target or "")
            if target is None:
                return None
            event = target
        return self._resolve(event) if event.id else None

    def last(self, by: str) -> Event | None:
        """Return the last answer of a person that was not undone."""
        for uuid in reversed(self._given.get(by, ())):
            event = self._ledger.by_uuid[uuid]
            id = self._resolve(event)
            if id is not None and event in self._ledger.standing.get(id, ()):
                return event
        return None

    def given_with(self, event: Event) -> list[str]:
        """Return the uuids of the person's other answers with the same note that still stand."""
        found = []
        for uuid in self._given.get(event.by, ()):
            other = self._ledger.by_uuid[uuid]
            if other.note != event.note or uuid == event.uuid:
                continue
            id = self._resolve(other)
            if id is not None and other in self._ledger.standing.get(id, ()):
                found.append(uuid)
        return found

    def conflicts(self) -> list[SampleId]:
        """Return the images that people gave different classes to and nobody settled."""
        settled = self._ledger.settled
        return [
            id for id in self.disputed if id in settled and len(set(settled[id].votes.values())) > 1
        ]

    def pace(self) -> float | None:
        """Return the median seconds of the last answers; None before the first one."""
        return median(self._pace) if self._pace else None

    def predicted(self) -> list[str]:
        """Return the classes whose last answers, `STREAK` of them, were all predicted."""
        return [label for label, hits in self._streaks.items() if len(hits) == STREAK and all(hits)]

    def _answer(self, event: Event) -> None:
        self._given.setdefault(event.by, []).append(event.uuid)
        if event.seconds is not None:
            self.seconds += event.seconds
            self._pace.append(event.seconds)
        expected = self._expected.get(event.id)
        if event.kind == "label" and event.label and expected is not None:
            hits = self._streaks.setdefault(event.label, deque(maxlen=STREAK))
            hits.append(expected == event.label)

    def _recount(self, id: SampleId) -> None:
        standing = self._ledger.standing.get(id, ())
        before = self._answerers.pop(id, ())
        now = tuple(event.by for event in standing if event.kind in _ANSWERS)
        if now:
            self._answerers[id] = now
        self.answers += len(now) - len(before)
        self.mine.subtract(before)
        self.mine.update(now)
        labelled = id in self._ledger.settled
        counted = bool(standing) or labelled, labelled
        was = self._counted.pop(id, (False, False))
        if any(counted):
            self._counted[id] = counted
        self.answered += counted[0] - was[0]
        self.labels += counted[1] - was[1]
        self.held_out += (counted[1] - was[1]) * (id in self._held_out)
        if disputed(standing, self._ledger.settled.get(id)):
            self.disputed[id] = None
        else:
            self.disputed.pop(id, None)
