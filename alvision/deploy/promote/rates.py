"""The rates of errors that two models are compared by, and the images that each is measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.verdict import Decision, escapes, overkilled
from alvision.deploy.promote.paired_test import Paired, excludes, paired, pairs_needed
from alvision.deploy.threshold.binomial import percent_up
from alvision.deploy.threshold.draw import draw_independent
from alvision.deploy.train.labelled_data import LabelledData

Mistake = Callable[[str, Decision], bool]
"""Tells whether a decision about an image of a class is a mistake."""


@dataclass(frozen=True)
class Terms:
    """The conditions that a new model must be shown to meet.

    Attributes:
        margin: How much worse any rate may be.
        escape_margin: The same for the escape rate alone.
        confidence: Probability that a model which is worse by its margin is refused.
        independent: Every image counts as independent, whatever its group.
    """

    margin: float = 0.01
    escape_margin: float = 0.01
    confidence: float = 0.95
    independent: bool = False


@dataclass(frozen=True)
class Rate:
    """One rate of errors: error, escape or overkill.

    Attributes:
        name: Name of the rate.
        mistake: What counts as an error.
        margin: What the difference of two models must stay below.
        ids: The independent images that it is measured on, at most one of each group.
    """

    name: str
    mistake: Mistake
    margin: float
    ids: tuple[SampleId, ...]

    def can_be_shown(self, confidence: float) -> bool:
        """Tell whether two models that agree on every image would show the margin."""
        return len(self.ids) >= pairs_needed(self.margin, confidence=confidence)

    def hopeless(self, confidence: float) -> bool:
        """Tell whether not even a model that is right wherever the line's is wrong could pass."""
        n = len(self.ids)
        return not excludes(0, n, n, self.margin, confidence=confidence)


@dataclass(frozen=True)
class Measure:
    """One rate of errors of two models.

    Attributes:
        name: Name of the rate.
        old: The old model's rate on the images of `pairs`.
        new: The new model's.
        pairs: The paired comparison, on at most one image of each group.
        margin: What the difference must stay below.
    """

    name: str
    old: float
    new: float
    pairs: Paired
    margin: float

    @property
    def shown(self) -> bool:
        """Tell whether the new model is shown not to be worse."""
        return self.pairs.within(self.margin)

    @property
    def reason(self) -> str:
        """Return why it is not shown."""
        pairs = self.pairs
        needed = pairs_needed(self.margin, confidence=pairs.confidence)
        reason = (
            f"the {self.name} may be up to {percent_up(pairs.at_most)} points higher, and "
            f"{100 * self.margin:g} are allowed ({pairs.n} independent monitor {kind(self.name)}, "
            f"{pairs.worse} worse, {pairs.better} better)"
        )
        if pairs.n < needed:
            reason += f"; models that agree on all of them need {needed}"
        return reason


def kind(rate: str) -> str:
    """Return what a rate is measured on."""
    return {"escape rate": "defects", "overkill rate": "good parts"}.get(rate, "images")


def rates(new: Bundle, labelled: LabelledData, ids: Sequence[SampleId], terms: Terms) -> list[Rate]:
    """Return the rates, and draw the images of each; no model is run.

    Args:
        new: The bundle that is to take the line's place; its classes tell good from bad.
        labelled: Images and labels.
        ids: Monitor images.
        terms: What must be shown.
    """
    labels = labelled.held_out
    groups = labelled.data.hashes if terms.independent else labelled.groups

    def rate(name: str, mistake: Mistake, margin: float, wanted: Sequence[SampleId]) -> Rate:
        # The same draw every time: a new one would let somebody repeat until it turns out well.
        rng = np.random.default_rng(derive(0, "promote"))
        drawn = draw_independent([groups[id] for id in wanted], rng)
        return Rate(name, mistake, margin, tuple(wanted[row] for row in drawn))

    good = [id for id in ids if labels[id] in new.good]
    escaping, stopping = partial(escapes, good=new.good), partial(overkilled, good=new.good)
    if no_defect(new, labelled):
        return [rate("overkill rate", stopping, terms.margin, good)]
    found = [rate("error rate", misnamed, terms.margin, ids)]
    if new.defects:
        bad = [id for id in ids if labels[id] not in new.good]
        found.append(rate("escape rate", escaping, terms.escape_margin, bad))
        found.append(rate("overkill rate", stopping, terms.margin, good))
    return found


def no_defect(new: Bundle, labelled: LabelledData) -> bool:
    """Tell whether no defect is labelled at all, so that only overkill can be compared."""
    labels = (*labelled.training.values(), *labelled.held_out.values())
    return bool(new.good) and all(label in new.good for label in labels)


def monitor_images(old: Bundle, new: Bundle, labelled: LabelledData) -> list[SampleId]:
    """Return the monitor images that have a class.

    Raises:
        UserError: There are none, or one of them was trained on.
    """
    ids = labelled.monitor
    if not ids:
        raise UserError(
            "no monitor image has a label, so nothing can be compared: label some of the audit"
        )
    for bundle in (old, new):
        trained = set(bundle.manifest.trained_on)
        for id in ids:
            if labelled.data.hashes[id] in trained:
                raise UserError(
                    f"the monitor image {id} was trained on by {bundle.folder}, so it proves "
                    "nothing: compare models of one data set and one split"
                )
    return ids


def measure(
    rate: Rate,
    labels: Mapping[SampleId, str],
    old: Mapping[SampleId, Decision],
    new: Mapping[SampleId, Decision],
    *,
    confidence: float,
) -> Measure:
    """Compare two models by one rate.

    Args:
        rate: The rate.
        labels: The class of each of its images.
        old: The decisions of the line's model.
        new: The decisions of the new model.
        confidence: Probability that a model which is worse by the margin is refused.
    """
    before, after = (
        np.array([rate.mistake(labels[id], decisions[id]) for id in rate.ids], bool)
        for decisions in (old, new)
    )
    return Measure(
        rate.name,
        float(before.mean()) if rate.ids else float("nan"),
        float(after.mean()) if rate.ids else float("nan"),
        paired(before, after, confidence=confidence),
        rate.margin,
    )


def misnamed(label: str, decision: Decision) -> bool:
    """Tell whether a decision names another class."""
    return decision.class_name != label
