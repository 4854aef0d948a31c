"""What is known of a run at one moment, as plain data: everything that a sentence may speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alvision.core.records import SECONDS_PER_LABEL
from alvision.evaluation.audit import AUDIT, INTERVAL

SIGNALS = "signals"
"""The key of metrics.json that holds what `advice.signals` says of a round."""


@dataclass(frozen=True)
class Share:
    """How often something happens among some images, with its 95 % interval.

    Attributes:
        value: The share, 0..1.
        low: Lower end.
        high: Upper end.
        images: The images that it was counted on.
    """

    value: float
    low: float
    high: float
    images: int

    @classmethod
    def of(cls, count: int, images: int) -> Share | None:
        """Return the share of `count` of some images (Clopper and Pearson); None of no images."""
        if not images:
            return None
        from alvision.evaluation.intervals import share_interval  # scipy delays the first page

        return cls(count / images, *share_interval(count, images), images)

    @classmethod
    def audited(cls, rate: Mapping[str, Any] | None) -> Share | None:
        """Return a rate of an audit as a file holds it; None of none."""
        if not rate:
            return None
        return cls(rate["rate"], rate["low"], rate["high"], rate["images"])


@dataclass(frozen=True)
class Gain:
    """What a metric gained between two rounds, on the same held-out images.

    Attributes:
        labels: Labels that were added between them.
        value: The difference, later minus earlier.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    labels: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RoundFacts:
    """One finished round.

    Attributes:
        labels: Images that its model was trained on.
        answers: Answers given until then.
        images: Labelled held-out images that it was measured on.
        value: The target metric; None where there are too few images to say.
        low: Lower end of its 95 % interval; None where none was computed.
        high: Upper end.
        missed: Bad images that the model called good, of the bad ones; None where not known. With
            people the ends hold however often one looks, see `evaluation.audit_rates`.
        stopped: Good images that the model called bad, of the good ones.
        no_bad: Defects are named, and none is among the images that it was measured on.
        gains: What the metric gained since each earlier round, the latest first.
        control: What choosing gained over as many labels drawn at random, and how many those are;
            None: none are, or too few.
        saved: Labels that choosing saved for the score of those drawn at random, and how many these
            are; None: not known.
        agreement: Cohen's kappa with the round before, on all held-out images; None: no such round.
        uncertainty: Mean entropy of the held-out images, as a share of the most there can be, 0..1.
        expected_error: Mean of one minus the highest probability, over the held-out images.
    """

    labels: int
    answers: int
    images: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    missed: Share | None = None
    stopped: Share | None = None
    no_bad: bool = False
    gains: tuple[Gain, ...] = ()
    control: Gain | None = None
    saved: Gain | None = None
    agreement: float | None = None
    uncertainty: float | None = None
    expected_error: float | None = None


@dataclass(frozen=True)
class Facts:
    """A run at one moment.

    Attributes:
        people: People answer; else the run is simulated.
        metric: Title of the metric that the run aims at.
        target: The value of it that is aimed at; None: none is.
        rounds: The finished rounds.
        classes: The classes that have a label, each with its number of labels; None: not known.
        to_learn: Answers that are missing until a model learns; None: not known.
        choosing: A model has chosen the images that are asked for now.
        learning: A model is learning from the last answers at this moment.
        images: Images that may be chosen from, the labelled ones included; None: not known.
        held_out: Images that are held out, labelled or not.
        labels: Images that may be trained on and have a label.
        audit: Labelled held-out images that measure the model, which may be more than at the last
            round.
        batch: Labels that the next round asks for.
        unlabelled: How often the last model calls an unlabelled image wrong, by an audit of their
            own; None where there is none.
        audited: Images of the set that this audit draws from.
        value_of_error: Answers that one percentage point of the metric is worth; None: not known.
        seconds: What an answer takes.
    """

    people: bool = False
    metric: str = "macro-F1"
    target: float | None = None
    rounds: tuple[RoundFacts, ...] = ()
    classes: Mapping[str, int] | None = None
    to_learn: int | None = None
    choosing: bool = False
    learning: bool = False
    images: int | None = None
    held_out: int = 0
    labels: int = 0
    audit: int = 0
    unlabelled: Share | None = None
    audited: int = 0
    batch: int = 20
    value_of_error: float | None = None
    seconds: float = SECONDS_PER_LABEL

    @property
    def last(self) -> RoundFacts | None:
        """Return the last finished round."""
        return self.rounds[-1] if self.rounds else None

    @property
    def left(self) -> int | None:
        """Return the images that may be chosen and have no label; None where not known."""
        return None if self.images is None else max(0, self.images - self.labels)


@dataclass(frozen=True)
class _Signals:
    """The part of metrics.json that `advice.signals` wrote; all of it missing in older files."""

    found: Mapping[str, Any] = field(default_factory=dict)

    def gains(self, labels: int) -> tuple[Gain, ...]:
        return tuple(
            Gain(labels - one["labels"], one["value"], one["low"], one["high"])
            for one in self.found.get("gains", ())
        )


def round_facts(
    metrics: Mapping[str, Any], *, metric: str, defects: Sequence[str] = ()
) -> RoundFacts:
    """Return what a round's metrics.json says.

    Args:
        metrics: Its content, of any version.
        metric: Name of the target metric.
        defects: The classes that are defects.
    """
    signals = _Signals(metrics.get(SIGNALS) or {})
    low, high = metrics.get(INTERVAL) or signals.found.get(INTERVAL) or (None, None)
    value = metrics.get(metric)
    missed, stopped = _shop(metrics, defects) if value is not None else (None, None)
    return RoundFacts(
        labels=metrics["labels"],
        answers=metrics["answers"],
        images=metrics.get("n") or 0,
        value=value,
        low=None if value is None else low,
        high=None if value is None else high,
        missed=missed,
        stopped=stopped,
        no_bad=_no_bad(metrics, defects),
        gains=signals.gains(metrics["labels"]),
        control=Gain(**metrics["control"]) if metrics.get("control") else None,
        saved=Gain(**metrics["saved"]) if metrics.get("saved") else None,
        agreement=signals.found.get("agreement"),
        uncertainty=signals.found.get("uncertainty"),
        expected_error=signals.found.get("expected_error"),
    )


def _no_bad(metrics: Mapping[str, Any], defects: Sequence[str]) -> bool:
    """Tell whether there are defects, and no measured image is one."""
    classes = metrics.get("per_class") or {}
    counts = [one.get("support") for name, one in classes.items() if name in defects]
    return bool(counts) and all(count == 0 for count in counts)


def _shop(metrics: Mapping[str, Any], defects: Sequence[str]) -> tuple[Share | None, Share | None]:
    """Return how often bad images are called good, and good ones bad.

    The audit says it where people answer, else it is counted in the confusion table.
    """
    if rates := metrics.get(AUDIT):
        return Share.audited(rates.get("escape")), Share.audited(rates.get("overkill"))
    table, names = metrics.get("confusion"), list(metrics.get("per_class") or ())
    if not table or not defects:
        return None, None
    bad = [name in defects for name in names]
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for row, is_bad in zip(table, bad, strict=True):
        for amount, called_bad in zip(row, bad, strict=True):
            counts[is_bad, called_bad] += amount
    all_bad = counts[True, True] + counts[True, False]
    all_good = counts[False, True] + counts[False, False]
    return Share.of(counts[True, False], all_bad), Share.of(counts[False, True], all_good)
