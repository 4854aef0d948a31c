"""How long the cold start goes on: decided by the files of earlier rounds and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.core.rounds import Round
    from alvision.loop.experiment import Experiment

SLOT = "cold_start"


@dataclass(frozen=True)
class ColdStart:
    """Say whether the cold start chooses in a round, or the acquisition does.

    Attributes:
        active: The cold start chooses.
        reason: Why it goes on, or why it ended early; None where nothing is unusual.
    """

    active: bool
    reason: str | None = None


def decide(exp: Experiment, rnd: Round, model: Any) -> ColdStart:
    """Decide whether the cold start chooses in a round.

    It chooses while there is no fitted model. Then it goes on, in ordinary rounds, until each class
    with a label has `per_class` of them, but asks beyond round 0 for no more than `budget.initial`
    images (or one batch, if that is more): where a class is so rare that even that finds too few,
    the acquisition looks for it with fewer labels. Once the acquisition has chosen, the cold start
    is over, whatever class turns up later.

    Args:
        exp: The experiment.
        rnd: The round that is asked for.
        model: The model of the round before; None in round 0.
    """
    if rnd.previous is None or model is None or not model.fitted:
        return ColdStart(True)
    rows = [row for row in _rows_after_the_first(rnd) if row.slot != "audit"]
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
