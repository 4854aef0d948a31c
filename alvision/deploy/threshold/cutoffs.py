"""The arithmetic of thresholds: where defects are rejected, and which parts a person sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alvision.core.errors import UserError
from alvision.deploy.threshold.binomial import (
    allowed_misses,
    best_escape,
    defects_needed,
    rate_at_most,
)


class NotEnoughDefects(UserError):
    """Too few held-out defects for the promise.

    Attributes:
        found: Independent defects.
        needed: Independent defects that the promise needs, if none of them is missed.
        provable: The lowest escape rate that those found can prove.
    """

    def __init__(
        self, found: int, *, escape: float, confidence: float, advice: str | None = None
    ) -> None:
        self.found = found
        self.needed = defects_needed(escape=escape, confidence=confidence)
        self.provable = best_escape(found, confidence=confidence)
        best = (
            f"the best that can be promised now is {100 * self.provable:.3g} %"
            if found
            else "nothing can be promised without one"
        )
        super().__init__(
            f"an escape rate of {100 * escape:g} % with {100 * confidence:g} % confidence needs "
            f"{self.needed} independent held-out defects, and there are {found}: "
            f"{self.needed - found} more; {best}" + (f"; {advice}" if advice else "")
        )


@dataclass(frozen=True)
class Band:
    """Two thresholds; a person looks at the parts between them.

    Below `low` it passes, from `high` on it is rejected.

    Attributes:
        low: The threshold of the promise.
        high: The upper threshold.
        human: Share of the parts that a person looks at, among those the band was chosen on.
    """

    low: float
    high: float
    human: float


def escape_threshold(
    defect_scores: Sequence[float] | np.ndarray,
    *,
    escape: float,
    confidence: float,
    groups: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> float:
    """Return the largest threshold whose escape rate is provably small enough.

    Reject a part if its score >= threshold. With defects like the ones given, the share of defects
    that pass is at most `escape`, in at least `confidence` of all such samples. The threshold is
    the k-th smallest score with the largest k that BetaCDF(escape; k, n - k + 1) >= confidence
    allows; equal scores err on the safe side.

    Args:
        defect_scores: Defect score of each held-out defect, higher = more defective; none of them
            was trained on or actively chosen.
        escape: Highest escape rate, in (0, 1).
        confidence: Probability that the promise holds, in (0, 1).
        groups: Group of each defect. Defects of one lot are alike, so one of each group is drawn
            and the others prove nothing. None: all are independent.
        rng: The generator that draws them; needed with groups.

    Raises:
        NotEnoughDefects: Even the smallest score proves too little.
        ValueError: A score is not finite, or an argument is out of its range.

    >>> escape_threshold([i / 100 for i in range(93)], escape=0.05, confidence=0.95)
    0.01
    """
    _check(escape=escape, confidence=confidence)
    scores = np.asarray(defect_scores, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"defect_scores {scores.shape} must be one finite number a defect")
    if groups is not None:
        scores = scores[one_a_group(groups, rng)]
    misses = allowed_misses(len(scores), escape=escape, confidence=confidence)
    if misses is None:
        raise NotEnoughDefects(len(scores), escape=escape, confidence=confidence)
    return float(np.sort(scores)[misses])


def one_a_group(groups: Sequence[str], rng: np.random.Generator | None) -> np.ndarray:
    """Draw one row of each group; rows ascending.

    Raises:
        ValueError: No generator was given.

    >>> one_a_group(["b", "a", "b"], np.random.default_rng(0)).tolist() in ([0, 1], [1, 2])
    True
    """
    if rng is None:
        raise ValueError("groups need a generator, rng=np.random.default_rng(seed)")
    names = np.asarray(groups, dtype=str)
    order = rng.permutation(len(names))
    _, first = np.unique(names[order], return_index=True)
    return np.sort(order[first])


def overkill(
    good_scores: Sequence[float] | np.ndarray, threshold: float, *, confidence: float
) -> tuple[float, float]:
    """Return the share of good parts that are rejected, and its upper limit.

    Args:
        good_scores: Scores of independent held-out good parts.
        threshold: Reject from here on.
        confidence: Probability that the limit holds.

    >>> overkill([0.1, 0.2, 0.9, 0.3], 0.5, confidence=0.95)[0]
    0.25
    """
    scores = np.asarray(good_scores, dtype=np.float64)
    wrong = int((scores >= threshold).sum())
    seen = wrong / len(scores) if len(scores) else float("nan")
    return seen, rate_at_most(wrong, len(scores), confidence=confidence)


def human_band(scores: Sequence[float] | np.ndarray, threshold: float, *, human: float) -> Band:
    """Send as many doubtful parts above the threshold to a person as the person has time for.

    The promise still holds, because nothing changes below the threshold. Of the parts above it the
    least suspicious go to a person, and the rest are rejected unseen.

    Args:
        scores: Scores of parts as the line sees them.
        threshold: The threshold of the promise.
        human: Share of all parts that a person has time for, in [0, 1].

    >>> human_band([0.1, 0.4, 0.5, 0.6, 0.9], 0.4, human=0.4)
    Band(low=0.4, high=0.6, human=0.4)
    """
    if not 0 <= human <= 1:
        raise ValueError(f"human={human} must be a share, 0 to 1")
    values = np.sort(np.asarray(scores, dtype=np.float64))
    above = values[values >= threshold]
    time_for = int(human * len(values) + 1e-9)
    # Equal scores are treated alike, so a part that does not fit sends its equals away with it.
    high = np.inf if len(above) <= time_for else above[time_for]
    looked_at = int((above < high).sum())
    return Band(threshold, float(high), looked_at / len(values) if len(values) else 0.0)


def cost_band(
    defect_scores: Sequence[float] | np.ndarray,
    good_scores: Sequence[float] | np.ndarray,
    threshold: float,
    *,
    look: float,
    scrap: float,
) -> Band:
    """Send parts to a person as long as that costs less than scrapping good ones.

    Minimises look · (parts looked at) + scrap · (good parts rejected unseen).

    Args:
        defect_scores: Scores of held-out defects.
        good_scores: Scores of held-out good parts.
        threshold: The threshold of the promise.
        look: Cost of a person's look at a part.
        scrap: Cost of a good part that is scrapped.

    >>> cost_band([0.8, 0.9], [0.1, 0.5, 0.7], 0.4, look=1, scrap=10)
    Band(low=0.4, high=0.8, human=0.4)
    """
    if not (look >= 0 and scrap >= 0):
        raise ValueError(f"look={look} and scrap={scrap} must be costs, from 0")
    defects, good = (np.asarray(s, dtype=np.float64) for s in (defect_scores, good_scores))
    every = np.concatenate([defects, good])
    marks = [threshold, *np.unique(every[every >= threshold]), np.inf]
    costs = [
        look * ((every >= threshold) & (every < high)).sum() + scrap * (good >= high).sum()
        for high in marks
    ]
    high = float(marks[int(np.argmin(costs))])
    looked_at = int(((every >= threshold) & (every < high)).sum())
    return Band(threshold, high, looked_at / len(every) if len(every) else 0.0)


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ValueError(f"{name}={value} must lie between 0 and 1, e.g. 0.02 for 2 %")
