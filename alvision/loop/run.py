"""Active learning on one screen: ask, answer, fit, predict, judge; every step a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from alvision.core.records import Answers, Event, Oracle, Query, SampleId
from alvision.core.rounds import Codec, Round, rounds_of
from alvision.labels.consensus import answered, consensus
from alvision.labels.content import resolver
from alvision.labels.store import LabelStore
from alvision.loop.cold_start import start
from alvision.loop.propose import AUDIT_SHARE, RELABEL_SHARE, again, audit, choose, mixed

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

    The cold start goes on until each class seen has `per_class` labels (see `cold_start.start`).
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
        budget: Answers to ask for.
        generator: One random stream for each (round, purpose).
        explain: Reasons in words for picked rows.
        judge: Metrics from a round's predictions and the labels known at its pin.
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
    explain: Callable[..., Sequence[str]]
    judge: Callable[[Any, Mapping[SampleId, str]], Metrics]
    publish: Callable[[Round], None]
    codecs: Mapping[str, Codec]
    truth: Mapping[SampleId, str] | None = None
    """The evaluator's door: labels of the held-out images in a simulated run."""
    spare: int = 0

    @property
    def rounds(self) -> list[Round]:
        """Return every round of the budget, begun or not."""
        return rounds_of(self.root, self.codecs, self.budget.rounds)

    @cached_property
    def resolve(self) -> Callable[[Event], SampleId | None]:
        """Return the map from an event to the image that holds its bytes now."""
        ids = sorted({*self.candidates, *self.evaluation_ids, *self.audit_order})
        return resolver(ids, self.hashes)

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

    def answer(self, query: Query, rnd: Round) -> Answers:
        """Ask the oracle and record what it says, with all that came in beside it."""
        answers = self.oracle(query)
        return self.labels.append(answers, since=rnd.previous_pin, hash_of=self.hashes.get)

    def fit(self, rnd: Round) -> Any:
        """Train a fresh model on the labels known at a round's pin."""
        return self.learner.fit(self.training(rnd.pin), round=rnd.number)

    def stop(self, rnd: Round) -> bool:
        """Tell whether a round that has not begun is not worth beginning; round 0 always is."""
        if rnd.number == 0:
            return False
        return not self.pool() and not self.labels.events(since=rnd.previous_pin)

    def evaluate(self, rnd: Round) -> Metrics:
        """Judge a round by the labels known at its pin."""
        predictions = rnd.read("predictions.parquet")
        events = self.labels.events(upto=rnd.pin)
        held_out = self.truth if self.truth is not None else self.known(rnd.pin)
        model = rnd.previous.read("model.ckpt") if rnd.previous else None
        note = start(self, rnd, model).note
        answers = [event for event in events if event.kind in ("label", "skip", "unsure")]
        seconds = [event.seconds for event in answers if event.seconds is not None]
        return {
            "round": rnd.number,
            **({"cold_start": note} if note else {}),
            "labels": len(self.training(rnd.pin)),
            "answers": len(answers),
            **({"seconds": math.fsum(seconds)} if seconds else {}),
            **self.judge(predictions, {i: held_out[i] for i in predictions.ids if i in held_out}),
        }

    def history(self) -> list[Metrics]:
        """Return the metrics of the finished rounds."""
        return [rnd.read("metrics.json") for rnd in self.rounds if rnd.done]


def run(exp: Experiment) -> list[Metrics]:
    """Run or resume an experiment and return its metrics, round by round.

    Raises:
        AwaitingLabels: People have not answered yet; running again goes on from there.
    """
    if done := [rnd for rnd in exp.rounds if rnd.done]:
        exp.publish(done[-1])  # a kill may have come between its metrics and this
    for rnd in exp.rounds:
        if rnd.done:
            continue
        if rnd.new and exp.stop(rnd):
            break
        query = rnd.once("query.csv", partial(propose, exp, rnd))
        rnd.once("answers.csv", partial(exp.answer, query, rnd))
        model = rnd.once("model.ckpt", partial(exp.fit, rnd))
        rnd.once("predictions.parquet", partial(exp.learner.predict, model, exp.evaluation_ids))
        rnd.once("metrics.json", partial(exp.evaluate, rnd))
        exp.publish(rnd)
    return exp.history()


def propose(exp: Experiment, rnd: Round) -> Query:
    """Choose what a round asks for; may be empty, then the round only trains."""
    pool = exp.pool()
    known = exp.training(None)
    if rnd.number == 0:
        initial = exp.budget.initial
        n = len(pool) if initial is None else max(0, initial - len(known))
    else:
        n = exp.budget.batch
    model = rnd.previous.read("model.ckpt") if rnd.previous else None
    rows, rest = choose(exp, rnd, model, pool, known, n)
    audits = audit(exp, len(rows), exp.budget.audit + exp.spare // AUDIT_SHARE)
    if exp.spare:
        more = audits[exp.budget.audit :]
        repeats = again(exp, rnd, known)
        spare = mixed((rest, 1), (more, AUDIT_SHARE), (repeats, RELABEL_SHARE // 2))
        rnd.once("ranking.csv", partial(Query, rnd.number, spare))
    return Query(rnd.number, (*rows, *audits[: exp.budget.audit]))
