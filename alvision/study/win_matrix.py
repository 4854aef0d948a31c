"""Every acquisition against every other: who wins, with one correction over all pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.statistics import LEVEL, minimum_detectable_effect, paired_tests


@dataclass(frozen=True)
class Pair:
    """Two acquisition functions; in the order of the study.

    Attributes:
        first: A name.
        second: Another one.
        difference: Mean area under the curve of the first minus the second's, paired by seed, with
            its 95 % interval (of this pair alone, not corrected).
        ahead: Seeds in which the first is ahead; a tie counts half.
        seeds: Number of seeds.
        p_value: By sign flips, after Holm over all pairs of the study; None where there are too few
            seeds for any p-value to reach .05.
        detectable: Mean difference that this pair would show 4 times out of 5; None where nothing
            can be shown.
    """

    first: str
    second: str
    difference: Estimate
    ahead: float
    seeds: int
    p_value: float | None
    detectable: float | None

    @property
    def winner(self) -> str | None:
        """Return who is shown to be better; None where nothing is shown."""
        if self.p_value is None or self.p_value > LEVEL:
            return None
        return self.first if self.difference.value > 0 else self.second


def all_pairs(areas: Mapping[str, np.ndarray]) -> tuple[Pair, ...]:
    """Compare every two acquisitions by their areas under the curve, [S] each, paired by seed.

    >>> low = np.linspace(0.6, 0.7, 8)
    >>> [pair] = all_pairs({"random": low, "margin": low + [0.1, 0.2] * 4})
    >>> pair.winner, pair.ahead, pair.p_value
    ('margin', 0.0, 0.0078125)
    """
    names = list(combinations(areas, 2))
    differences = [areas[first] - areas[second] for first, second in names]
    p_values = paired_tests(differences)
    return tuple(
        Pair(
            first,
            second,
            mean_interval(paired),
            float((paired > 0).sum() + (paired == 0).sum() / 2),
            len(paired),
            p_value,
            minimum_detectable_effect(paired, comparisons=len(names)),
        )
        for (first, second), paired, p_value in zip(names, differences, p_values, strict=True)
    )
