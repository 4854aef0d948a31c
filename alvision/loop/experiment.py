"""An experiment: everything that a run needs, handed in, and what its labels say now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from alvision.core.records import Event, Oracle, QueryRow, SampleId
from alvision.core.rounds import Codec, Round, finished_rounds, rounds_of
from alvision.labels.consensus import answered, consensus
from alvision.labels.content import resolver
from alvision.labels.store import LabelStore

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Strategy:
    """A selection by name, with what it reads; `acquire` and `score` are pure functions.

    `parts` are the strategies of a mixture, by the slot that their rows come in.
    """

    name: str
    acquire: Callable[..., Any]
    needs: frozenset[str]
    properties: frozenset[str] = frozenset()
    score: Callable[..., Any] | None = None
    parts: Mapping[str, Strategy] = field(default_factory=dict)


@dataclass(frozen=True)
class Budget:
    """Answers to ask for; `initial` None means the whole pool.

    The cold start goes on until each class seen has `per_class` labels (see `cold_start.decide`).
    """

    initial: int | None
    batch: int
    rounds: int
    audit: int = 0
    per_class: int = 0


@dataclass(frozen=True)
class Experiment:
    """Everything a run needs, handed in: the loop itself knows no torch, no files of data.

    Attributes:
        root: The run's folder.
        classes: Class names of the configuration.
        candidates: Every image outside audit and test.
        evaluation_ids: The held-out images that predictions are written for.
        audit_order: With people: the order in which held-out images are asked; else empty.
        hashes: Each readable image's sha256.
        labels: The event log.
        oracle: Who answers.
        learner: Fits, predicts, infers (see `alvision.training`).
        acquisition: The strategy with a model.
        cold_start: The strategy without one.
        contrast: The strategy where a cold start that covers the pool found one class alone; None:
            the cold start goes on.
        budget: Answers to ask for.
        generator: One random stream for each (round, purpose).
        order: A number for each (round, image): of images that a strategy values alike, those with
            the lowest come first.
        explain: Reasons in words for picked rows.
        evaluate: Metrics from a round's predictions and the labels known at its pin.
        signals: What a round's predictions say beside their metrics, see `advice.signals`; None:
            nothing.
        stop_when: Tells from the metrics of the finished rounds whether to end before the budget
            is used; None: never.
        gold: Share of each batch that asks settled images again, see `loop.again`.
        repair: Share of each batch that asks labels in doubt again.
        control: Share of each batch that is drawn at random, see `loop.control`.
        saving: What choosing gained over it, see `advice.control`.
        saved: How many labels choosing saved, see `advice.control.labels_saved`.
        defects: The classes that are defects; empty if none are named.
        publish: Write what is derived from a finished round (tables, TensorBoard).
        codecs: How each step is written.
        spare: With people at a page: images to rank behind each query, as work while they wait.
    """

    root: Path
    classes: tuple[str, ...]
    candidates: tuple[SampleId, ...]
    evaluation_ids: tuple[SampleId, ...]
    audit_order: tuple[SampleId, ...]
    hashes: Mapping[SampleId, str]
    labels: LabelStore
    oracle: Oracle
    learner: Any
    acquisition: Strategy
    cold_start: Strategy
    budget: Budget
    generator: Callable[[int, str], Any]
    order: Callable[[int, SampleId], int]
    explain: Callable[..., Sequence[str]]
    evaluate: Callable[[Any, Mapping[SampleId, str]], Metrics]
    publish: Callable[[Round], None]
    codecs: Mapping[str, Codec]
    truth: Mapping[SampleId, str] | None = None
    """The evaluator's door: labels of the held-out images in a simulated run."""
    spare: int = 0
    contrast: Strategy | None = None
    signals: Callable[[Any, Mapping[SampleId, str], Any], Metrics] | None = None
    stop_when: Callable[[Sequence[Metrics]], bool] | None = None
    gold: float = 0.0
    repair: float = 0.0
    control: float = 0.0
    saving: Callable[[Any, Sequence[Any], Mapping[SampleId, str]], Metrics | None] | None = None
    saved: Callable[..., Metrics | None] | None = None
    defects: Sequence[str] = ()

    @property
    def simulated(self) -> bool:
        """Tell whether the data set answers, and nobody else."""
        return self.truth is not None

    @property
    def rounds(self) -> list[Round]:
        """Return every round of the budget, begun or not."""
        return rounds_of(self.root, self.codecs, self.budget.rounds)

    @property
    def finished(self) -> list[Round]:
        """Return every finished round, also those beyond a budget that was lowered since."""
        return finished_rounds(self.root, self.codecs)

    @cached_property
    def resolve(self) -> Callable[[Event], SampleId | None]:
        """Return the map from an event to the image that holds its bytes now."""
        ids = sorted({*self.candidates, *self.evaluation_ids, *self.audit_order})
        return resolver(ids, self.hashes, pool=self.candidates)

    def with_hashes(self, rows: Iterable[QueryRow]) -> tuple[QueryRow, ...]:
        """Return rows with the bytes that they mean, so that they outlive a name."""
        return tuple(replace(row, sha256=self.hashes.get(row.id)) for row in rows)

    def known(self, pin: int | None) -> dict[SampleId, str]:
        """Return the consensus of all events up to a pin (None: now), held-out images included."""
        settled = consensus(self.labels.events(upto=pin), self.resolve)
        return {id: vote.label for id, vote in settled.items() if vote.label in self.classes}

    def training(self, pin: int | None) -> dict[SampleId, str]:
        """Return the labels that may be trained on: the consensus without the held-out images."""
        known = self.known(pin)
        return {id: known[id] for id in self.candidates if id in known}

    def pool(self) -> list[SampleId]:
        """Return the images that may be asked for now; of exact duplicates one.

        Left out: images with a standing label, skip or unsure, and unreadable ones.
        """
        set_aside = self.learner.set_aside
        return self.unanswered(id for id in self.candidates if id not in set_aside)

    def unanswered(self, ids: Iterable[SampleId]) -> list[SampleId]:
        """Return the images that nobody has spoken on, in order; of exact duplicates the first."""
        taken = answered(self.labels.events(), self.resolve)
        contents = {self.hashes[id] for id in taken if id in self.hashes}
        waiting = []
        for id in ids:
            content = self.hashes.get(id)
            if content is not None and content not in contents:
                contents.add(content)
                waiting.append(id)
        return waiting
