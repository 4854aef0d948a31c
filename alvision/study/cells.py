"""What every table shows of an acquisition function, decided once for all of them.

Markdown, CSV, data frames and the page only write these cells in their own forms.
"""

from __future__ import annotations

from dataclasses import dataclass

from alvision.evaluation.intervals import Estimate
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison, Row
from alvision.study.verdict import Outcome, outcome, sentence


@dataclass(frozen=True)
class Cells:
    """One row of a comparison as its tables show it; None is an empty cell.

    Attributes:
        acquisition: The acquisition function.
        seeds: Number of seeds.
        area: Mean area under the curve; one seed has no interval, so its ends are None.
        difference: Mean area minus the baseline's, the same way; None for the baseline.
        labels_to_target: Mean labels to the target; None where a seed never reaches it.
        missed: Seeds that never reach the target; 0 where there is none.
        ratio: Labels of the baseline / labels of this one; None for one seed, which bounds nothing.
        p_value: Of the difference, after Holm.
        after_start: Mean area minus that of random sampling after the same first labels; None
            where that is the baseline, or not part of the study.
        after_start_p_value: Of that difference, after Holm.
        detectable: Difference that these seeds would find 4 times out of 5.
        outcome: What is shown, in a word.
        sentence: The same in a sentence or two.
    """

    acquisition: str
    seeds: int
    area: Estimate
    difference: Estimate | None
    labels_to_target: float | None
    missed: int
    ratio: Ratio | None
    p_value: float | None
    after_start: Estimate | None
    after_start_p_value: float | None
    detectable: float | None
    outcome: Outcome
    sentence: str


def cells(row: Row, comparison: Comparison) -> Cells:
    """Return what tables show of a row."""
    after = row.after_start
    return Cells(
        acquisition=row.acquisition,
        seeds=row.seeds,
        area=with_interval(row.aubc, row.seeds),
        difference=None if row.difference is None else with_interval(row.difference, row.seeds),
        labels_to_target=row.labels_to_target,
        missed=0 if comparison.study.target is None else row.missed,
        ratio=row.ratio if row.seeds > 1 else None,
        p_value=row.p_value,
        after_start=None if after is None else with_interval(after.difference, row.seeds),
        after_start_p_value=None if after is None else after.p_value,
        detectable=row.detectable,
        outcome=outcome(row),
        sentence=sentence(row, comparison),
    )


def with_interval(estimate: Estimate, seeds: int) -> Estimate:
    """Return an estimate as tables show it: one seed tells no spread, so it has no interval.

    >>> with_interval(Estimate(0.5, 0.5, 0.5), 1)
    Estimate(value=0.5, low=None, high=None)
    """
    return estimate if seeds > 1 else Estimate(estimate.value, None, None)
