"""What the labels cost: minutes of labelling, beside their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alvision.core.records import SECONDS_PER_LABEL
from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.collect import Study
from alvision.study.statistics import Ratio, label_ratio


@dataclass(frozen=True)
class CostRow:
    """The time that one acquisition function asks of people; intervals are 95 % over seeds.

    Attributes:
        acquisition: Its name.
        minutes: Minutes for all answers of the curve.
        seconds_an_answer: Their mean.
        minutes_to_target: Mean minutes until the target is reached to stay; None if a seed never
            reaches it, or there is no target.
        ratio: Minutes to target of the baseline / of this one: how many times less labelling.
        hours_of_computing: Mean wall-clock hours of a run, where they were recorded.
    """

    acquisition: str
    minutes: Estimate
    seconds_an_answer: float
    minutes_to_target: float | None
    ratio: Ratio | None
    hours_of_computing: float | None = None


def seconds_of(study: Study) -> tuple[Mapping[str, np.ndarray], bool]:
    """Return the seconds of labelling by acquisition, [S, R] each, and whether the runs knew them.

    Runs that do not know (`oracle.seconds`) are counted at `SECONDS_PER_LABEL` an answer.
    """
    if study.details and study.details.seconds:
        return study.details.seconds, True
    return dict.fromkeys(study.acquisitions, SECONDS_PER_LABEL * study.answers), False


def cost_rows(
    study: Study,
    labels: Mapping[str, tuple[float | None, ...]],
    least: Mapping[str, tuple[float, ...]],
) -> tuple[CostRow, ...]:
    """Return what each acquisition costs.

    Args:
        study: The curves.
        labels: Labels to target by acquisition, one for each seed; None: never reached.
        least: The least that each seed needed, by acquisition.
    """
    seconds, _ = seconds_of(study)
    times = {name: _minutes(study, seconds[name], labels[name]) for name in study.acquisitions}
    bounds = {name: _minutes(study, seconds[name], least[name]) for name in study.acquisitions}
    rows = []
    for name in study.acquisitions:
        reached = [time for time in times[name] if time is not None]
        ratio = None
        if study.baseline and study.target is not None and name != study.baseline:
            ratio = label_ratio(
                times[study.baseline],
                times[name],
                [float(time or 0) for time in bounds[study.baseline]],
                [float(time or 0) for time in bounds[name]],
            )
        rows.append(
            CostRow(
                acquisition=name,
                minutes=mean_interval(seconds[name][:, -1] / 60),
                seconds_an_answer=float(np.mean(seconds[name][:, -1] / study.answers[:, -1])),
                minutes_to_target=float(np.mean(reached))
                if reached and len(reached) == len(study.seeds)
                else None,
                ratio=ratio,
                hours_of_computing=study.hours.get(name),
            )
        )
    return tuple(rows)


def _minutes(
    study: Study, seconds: np.ndarray, labels: tuple[float | None, ...]
) -> list[float | None]:
    """Return the minutes that a number of answers took, read from each seed's own curve.

    Before the first round's last answer the time grows evenly.
    """
    return [
        None
        if amount is None
        else float(np.interp(amount, [0, *study.answers[k]], [0, *seconds[k]])) / 60
        for k, amount in enumerate(labels)
    ]
