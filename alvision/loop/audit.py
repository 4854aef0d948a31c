"""Read the monitor images of a run with people as an audit, in the order of their draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from alvision.core.records import Event, SampleId
from alvision.evaluation.audit import LEAST_IMAGES
from alvision.evaluation.audit_rates import audit_rates
from alvision.evaluation.betting import Draws
from alvision.labels.consensus import answered

if TYPE_CHECKING:
    from alvision.evaluation.probabilities import ClassProbabilities
    from alvision.loop.experiment import Experiment


def audited(
    exp: Experiment,
    predictions: ClassProbabilities,
    labels: Mapping[SampleId, str],
    events: Sequence[Event],
) -> dict[str, Any] | None:
    """Return error, escape and overkill with their limits; None of a simulated run, or of too few.

    The images stand for parts like these, so they are read as draws from a source that never ends:
    limits do not close because all of them have an answer.

    Args:
        exp: The experiment.
        predictions: Of the held-out images that can be read; with people, of the monitor images.
        labels: The classes of those that have one.
        events: The event log of the round.
    """
    if not exp.audit_order or len(labels) < LEAST_IMAGES:
        return None
    called = {
        id: predictions.classes[column]
        for id, column in zip(predictions.ids, predictions.values.argmax(1), strict=True)
    }
    order = [id for id in exp.audit_order if id in called and _is_asked(exp, id)]
    rates = audit_rates(
        order,
        Draws.independent(len(order)),
        called,
        labels,
        unknown=answered(events, exp.resolve) - labels.keys(),
        defects=exp.defects,
    )
    if "error" not in rates or rates["error"].images < LEAST_IMAGES:
        return None
    return {name: asdict(rate) for name, rate in rates.items()}


def _is_asked(exp: Experiment, id: SampleId) -> bool:
    """Tell whether an image has an answer of its own: not one whose copy speaks for both."""
    return id in exp.hashes and exp.resolve(Event(id, "label", None, "", 0, "")) == id
