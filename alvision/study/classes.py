"""The classes of a study one by one, the rarest apart: a mean over classes hides a rare defect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alvision.evaluation.curves import area
from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.collect import Study
from alvision.study.statistics import minimum_detectable_effect, paired_tests


@dataclass(frozen=True)
class ClassRow:
    """One class under one acquisition function; intervals are 95 % over seeds.

    Attributes:
        name: The class.
        acquisition: The acquisition function.
        rarest: Whether the class has the fewest held-out images.
        held_out: Its held-out images in a seed, on average.
        seeds: Seeds that hold out any of it; only these count here.
        f1: Mean of its F1 over the learning curve.
        recall: Recall after the last round.
        difference: `f1` minus the baseline's, paired by seed; None for the baseline.
        p_value: Of that, by sign flips, after Holm over the acquisitions; for the rarest class
            only, which is one question asked beforehand. None where too few seeds could show it.
        detectable: Difference of the rarest class that would be shown 4 times out of 5.
    """

    name: str
    acquisition: str
    rarest: bool
    held_out: float
    seeds: int
    f1: Estimate
    recall: Estimate
    difference: Estimate | None = None
    p_value: float | None = None
    detectable: float | None = None


def class_rows(study: Study) -> tuple[ClassRow, ...]:
    """Return a row for every class and acquisition; none where the rounds' files are not there."""
    if study.details is None:
        return ()
    return tuple(
        row
        for place, name in enumerate(study.details.classes)
        if study.details.support[:, place].any()
        for row in _of_class(study, place, name)
    )


def _of_class(study: Study, place: int, name: str) -> list[ClassRow]:
    details = study.details
    assert details is not None
    kept = details.support[:, place] > 0
    rarest = name == details.rarest
    areas = {
        each: np.array(
            [
                area(x, y)
                for x, y in zip(study.answers[kept], values[kept][:, :, place], strict=True)
            ]
        )
        for each, values in details.f1.items()
    }
    others = study.others if study.baseline else ()
    differences = {each: areas[each] - areas[study.baseline or ""] for each in others}
    p_values: dict[str, float | None] = {}
    if rarest:
        p_values = dict(zip(others, paired_tests(list(differences.values())), strict=True))
    return [
        ClassRow(
            name=name,
            acquisition=each,
            rarest=rarest,
            held_out=float(details.support[:, place].mean()),
            seeds=int(kept.sum()),
            f1=mean_interval(areas[each]),
            recall=mean_interval(details.recall[each][kept][:, -1, place]),
            difference=mean_interval(differences[each]) if each in differences else None,
            p_value=p_values.get(each),
            detectable=minimum_detectable_effect(differences[each], comparisons=len(others))
            if rarest and each in differences
            else None,
        )
        for each in study.acquisitions
    ]
