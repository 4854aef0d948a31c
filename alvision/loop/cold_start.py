"""How long the cold start goes on: decided by the files of earlier rounds and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.records import AGAIN

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment, Strategy

SLOT = "cold_start"

COVERS = frozenset({"features"})
"""What a cold start reads that covers the pool: nothing that is drawn, nothing that is labelled."""

FROM_A_MODEL = frozenset({"scores", "log_probs", "passes"})
"""Fields that are the same for all images while there is no model."""


@dataclass(frozen=True)
class ColdStart:
    """Say whether the cold start chooses in a round, or the acquisition does.

    Attributes:
        active: The cold start chooses.
        reason: Why it goes on, or why it ended early; None where nothing is unusual.
        contrast: All labels are of one class: what is least like them is asked for.
    """

    active: bool
    reason: str | None = None
    contrast: bool = False


def decide(exp: Experiment, rnd: Round, model: Any) -> ColdStart:
    """Decide whether the cold start chooses in a round.

    It chooses while there is no fitted model. Where all labels are of one class, a cold start that
    covers the pool would go on with what is typical, and a rare defect is not: then `exp.contrast`
    chooses, until there is a second class. After that it goes on, in ordinary rounds, until each
    class with a label has `per_class` of them, but asks beyond round 0 for no more than
    `budget.initial` images (or one batch, if that is more): where a class is so rare that even that
    finds too few, the acquisition looks for it with fewer labels. Once the acquisition has chosen,
    the cold start is over, whatever class turns up later.

    Args:
        exp: The experiment.
        rnd: The round that is asked for.
        model: The model of the round before; None in round 0.
    """
    if rnd.previous is None or model is None or not model.fitted:
        return _without_model(exp, rnd)
    rows = [row for row in _rows_after_the_first(rnd) if row.slot not in ("audit", *AGAIN)]
    few = classes_short_of(exp.training(rnd.previous_pin), exp.budget.per_class)
    if not few or any(row.slot != SLOT for row in rows):
        return ColdStart(False)
    short = ", ".join(f"{name} has {n} of {exp.budget.per_class} labels" for name, n in few.items())
    allowed = max(exp.budget.initial or 0, exp.budget.batch)
    if len(rows) < allowed:
        return ColdStart(True, f"the cold start goes on: {short}")
    return ColdStart(
        False,
        f"the cold start ended early: {short}, and it has asked for {len(rows)} images beyond the "
        f"first round, of {allowed} allowed",
    )


def check_start(strategy: Strategy, *, known_defects: int) -> None:
    """Refuse a strategy that cannot choose the first labels.

    Args:
        strategy: The cold start.
        known_defects: Labels that are there before the first are chosen.

    Raises:
        UserError: It reads what a model says, or labels where there are none.
    """
    if asked := strategy.needs & FROM_A_MODEL:
        raise UserError(
            f"cold_start={strategy.name} reads {', '.join(sorted(asked))} of a model, and at the "
            "start there is none; take one that reads features alone (max_herding, k_center, "
            "typiclust, prob_cover), or random"
        )
    if "labels" in strategy.needs and not known_defects:
        raise UserError(
            f"cold_start={strategy.name} learns from labels, and at the start there are none; "
            "take one that reads features alone, or random, or cold_start.known_defects=5"
        )


def _without_model(exp: Experiment, rnd: Round) -> ColdStart:
    known = set(exp.training(rnd.previous_pin).values()) if rnd.previous else set()
    if len(known) != 1 or exp.contrast is None or exp.cold_start.needs != COVERS:
        return ColdStart(True)
    (only,) = known
    return ColdStart(
        True, f"all labels are {only}: the images least like them are asked for", contrast=True
    )


def classes_short_of(labels: Mapping[SampleId, str], per_class: int) -> dict[str, int]:
    """Return the classes that have a label but fewer than `per_class`, and how many, by name.

    >>> classes_short_of({"a.png": "ok", "b.png": "ok", "c.png": "worn"}, 2)
    {'worn': 1}
    """
    counts = sorted(Counter(labels.values()).items())
    return {name: count for name, count in counts if count < per_class}


def _rows_after_the_first(rnd: Round) -> list[Any]:
    rows: list[Any] = []
    before = rnd.previous
    while before is not None and before.number > 0:
        rows += before.read("query.csv").rows
        before = before.previous
    return rows
