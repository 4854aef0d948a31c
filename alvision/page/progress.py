"""What the page shows around the image: counts, the learning curve, what is left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from alvision.advice.facts import Facts
from alvision.advice.sentences import advise
from alvision.core.records import SECONDS_PER_LABEL, SampleId
from alvision.core.rounds import DOCUMENT, read_document
from alvision.data.set_aside import set_aside_line
from alvision.evaluation.audit import INTERVAL, too_few
from alvision.evaluation.metrics import Metric
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page import counters
from alvision.page.assignment import Assignment
from alvision.page.loop_process import KeptLoop
from alvision.page.responses import (
    AdviceSentence,
    ChangedPrediction,
    CurvePoint,
    PredictedClass,
    State,
)
from alvision.page.secret import keyed
from alvision.page.state import PageState
from alvision.page.vocabulary import VocabularyApi
from alvision.run_folder.facts import facts_of, with_labels
from alvision.run_folder.pool_audit import read_rates
from alvision.run_folder.round_files import MetricsFile

_CHANGES_SHOWN = 12
# Long enough that a person who looks up from the images reads it.
_NEWS_SECONDS = 300.0


@dataclass(frozen=True)
class Figures:
    """Hold what is computed between requests, whenever a round ends or held-out labels change.

    Attributes:
        curve: One point a finished round, where enough held-out images were labelled then.
        too_few: Why the last finished round has no point; None where it has one.
        changed: Labelled held-out images that the last two models predict differently, with both
            predictions.
        changed_count: How many changed, unlabelled ones included.
        facts: What the finished rounds say, for `advice`; None while the run has no folder.
    """

    curve: tuple[CurvePoint, ...] = ()
    too_few: str | None = None
    changed: tuple[tuple[SampleId, str, str], ...] = ()
    changed_count: int = 0
    facts: Facts | None = None


class Progress:
    """Describe how far a run is. `update` does the slow part and belongs in a thread of its own.

    Args:
        state: The state.
        assignment: Knows the batch.
        vocabulary: Knows the classes.

    Attributes:
        loop: The loop's process; None where there is none.
    """

    def __init__(self, state: PageState, assignment: Assignment, vocabulary: VocabularyApi) -> None:
        self._state = state
        self._assignment = assignment
        self._vocabulary = vocabulary
        self._figures = Figures()
        self._classes: Counter[str] = Counter()
        self._measured_on = 0
        self._computed_from: tuple[int, int] | None = None
        self._store = keyed(state.context.secret, "store", "")
        self.loop: KeptLoop | None = None
        self._told = ("", -_NEWS_SECONDS)

    def state(self, by: str) -> State:
        """Return everything that the page shows around the image."""
        state = self._state
        with state.lock:
            state.refresh()
            if by:
                state.mark_present(by)
            ledger, counts, figures = state.ledger, state.counters, self._figures
            classes = self._vocabulary.classes()
            open_ = {found.name for found in classes}
            return State(
                **dict(self._assignment.counts(by)),
                store=self._store,
                setup=len(classes) < 2,
                classes=classes,
                book_version=ledger.book.version,
                people=sorted(state.present()),
                experts=list(state.context.experts),
                blind=state.context.blind,
                phase="done" if self.loop and self.loop.done else state.run.phase,
                minutes_to_features=state.run.minutes_to_features,
                trouble=self.loop.trouble if self.loop else None,
                news=self._news(),
                metric=state.context.metric.title,
                curve=list(figures.curve),
                too_few=figures.too_few,
                changed=[
                    ChangedPrediction(item=state.images.address(id), before=before, after=after)
                    for id, before, after in figures.changed
                ],
                changed_count=figures.changed_count,
                pictured=not any(not row.pictured for row in state.context.rows.values()),
                hours_left=self._hours_left(),
                predicted=[
                    PredictedClass(name=name, answers=counters.STREAK)
                    for name in counts.predicted()
                    if name in open_
                ],
                advice=[
                    AdviceSentence(key=said.key, values=dict(said.values))
                    for said in advise(self._facts())
                ],
                notices=self._notices(),
                samples=self._assignment.samples() if len(classes) < 2 else [],
            )

    def _facts(self) -> Facts:
        """Return what is known of the run now: its files, and what has come in since."""
        state, figures = self._state, self._figures
        context, counts = state.context, state.counters
        shown = state.ledger.classes.shown
        classes = {shown.get(name, name): count for name, count in self._classes.items()}
        batch, trainable = self._assignment.counts("").batch, counts.labels - counts.held_out
        return replace(
            with_labels(figures.facts or Facts(metric=context.metric.title), classes),
            people=True,
            to_learn=batch.size - batch.done if batch else max(0, context.initial - trainable),
            learning=state.run.phase == "training",
            images=state.images_count - len(context.held_out),
            held_out=len(context.held_out),
            labels=trainable,
            audit=self._measured_on,
            seconds=counts.pace() or SECONDS_PER_LABEL,
        )

    def tell(self, news: str) -> None:
        """Show a line on every page, for some minutes."""
        self._told = (news, time.monotonic())

    def _news(self) -> str | None:
        news, since = self._told
        return news if time.monotonic() - since < _NEWS_SECONDS else None

    def _notices(self) -> list[str]:
        context = self._state.context
        aside = {**context.set_aside, **self._state.run.set_aside}
        lines = (set_aside_line(aside) if aside else None, context.dark)
        return [line for line in lines if line is not None]

    def update(self) -> None:
        """Compute curve and changes anew, if there is anything new to compute them from."""
        state = self._state
        with state.lock:
            state.refresh()
            held_out = state.context.held_out
            settled = {id: vote.label for id, vote in state.ledger.settled.items()}
            labels = {id: label for id, label in settled.items() if id in held_out}
            self._classes = Counter(label for id, label in settled.items() if id not in held_out)
            rounds, locate = state.run.round + 1, state.locate
        # Without the lock from here on: nobody may wait for files to be read.
        folders = [state.run.folder(number) for number in range(rounds)]
        finished = [folder for folder in folders if (folder / "metrics.json").exists()]
        basis = (len(finished), hash((frozenset(labels.items()), locate)))
        if self._computed_from == basis:
            return
        self._computed_from = basis
        metrics = [MetricsFile(audit=True).read(folder / "metrics.json") for folder in finished]
        if finished:
            measured = _predictions(finished[-1]).located(locate).ids
            self._measured_on = sum(id in labels for id in measured)
        points = [point(found, state.context.metric) for found in metrics]
        curve = tuple(found for found in points if found)
        few = too_few(metrics[-1]) if metrics else None
        changes: list[tuple[SampleId, str, str]] = []
        if len(finished) > 1:
            changes = changed(*(_predictions(folder).located(locate) for folder in finished[-2:]))
        # Only images with an answer are shown: the others are yet to be asked, and blind.
        known = [change for change in changes if change[0] in labels][:_CHANGES_SHOWN]
        root = state.context.root
        facts = None
        if (root / DOCUMENT).exists():
            facts = facts_of(read_document(root), metrics, read_rates(root, len(metrics)))
        self._figures = Figures(curve, few, tuple(known), len(changes), facts)

    def _hours_left(self) -> float | None:
        state = self._state
        pace = state.counters.pace()
        if pace is None:
            return None
        left = state.images_count - state.counters.answered
        return round(left * pace / 3600, 2)


def point(metrics: Mapping[str, Any], metric: Metric) -> CurvePoint | None:
    """Return a round's point on the learning curve; None where the round has no such figure.

    Args:
        metrics: The content of its metrics.json.
        metric: The metric of the curve.
    """
    value = metrics.get(metric.name)
    if value is None:
        return None
    low, high = metrics.get(INTERVAL) or (None, None)
    return CurvePoint(
        labels=metrics["labels"], images=metrics["n"], value=value, low=low, high=high
    )


def changed(
    before: ClassProbabilities, after: ClassProbabilities
) -> list[tuple[SampleId, str, str]]:
    """Return the images that two models predict differently, with both predictions."""
    earlier = dict(zip(before.ids, before.values.argmax(1).tolist(), strict=True))
    changes = []
    for id, column in zip(after.ids, after.values.argmax(1).tolist(), strict=True):
        if id in earlier:
            was, now = before.classes[earlier[id]], after.classes[column]
            if was != now:
                changes.append((id, was, now))
    return changes


@lru_cache(maxsize=64)
def _predictions(folder: Path) -> ClassProbabilities:
    """Read a finished round's predictions, which never change."""
    return ClassProbabilities.read(folder / "predictions.parquet")
