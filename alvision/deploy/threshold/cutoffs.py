"""The arithmetic of a threshold: from where on parts are stopped, and how many good ones are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit

from alvision.core.errors import UserError
from alvision.deploy.bundle.promise import percent_sure
from alvision.deploy.threshold.binomial import (
    allowed_misses,
    best_escape,
    defects_needed,
    percent_up,
    rate_at_most,
)
from alvision.deploy.threshold.draw import draw_independent


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
            f"the best that can be promised now is {percent_up(self.provable)} %"
            if found
            else "nothing can be promised without one"
        )
        super().__init__(
            f"an escape rate of {100 * escape:g} % with {percent_sure(confidence)} % confidence "
            f"needs {self.needed} independent held-out defects, and there are {found}: "
            f"{self.needed - found} more; {best}" + (f"; {advice}" if advice else "")
        )


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

    With groups the n scores are drawn so that every defect has the same chance and no two are of
    one group (`draw_independent`). Then the promise is about the defects of groups with at most as
    many defects as the largest one here. The threshold never lets more than `escape` of all the
    defects given pass, drawn or not.

    Args:
        defect_scores: Defect score of each held-out defect, higher = more defective; none of them
            was trained on or actively chosen.
        escape: Highest escape rate, in (0, 1).
        confidence: Probability that the promise holds, in (0, 1).
        groups: Group of each defect, because defects of one lot are alike. None: all are
            independent.
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
    drawn = _independent(scores, groups, rng)
    misses = allowed_misses(len(drawn), escape=escape, confidence=confidence)
    if misses is None:
        raise NotEnoughDefects(len(drawn), escape=escape, confidence=confidence)
    most = np.sort(scores)[math.floor(escape * len(scores))]
    return float(min(np.sort(drawn)[misses], most))


def overkill_threshold(
    good_scores: Sequence[float] | np.ndarray,
    *,
    overkill: float,
    confidence: float,
    groups: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> float:
    """Return the highest score that must still pass, so that provably few good parts are stopped.

    `escape_threshold` with good parts in the place of defects: parts above it are stopped, and of
    good ones that is a share of `overkill` at most, in at least `confidence` of all such samples.

    Args:
        good_scores: Defect score of each held-out good part.
        overkill: Highest share of good parts that may be stopped, in (0, 1).
        confidence: Probability that the promise holds, in (0, 1).
        groups: Group of each part; None: all are independent.
        rng: The generator that draws them; needed with groups.

    Raises:
        NotEnoughDefects: There are too few good parts.

    >>> overkill_threshold([i / 100 for i in range(93)], overkill=0.05, confidence=0.95)
    0.91
    """
    turned = -np.asarray(good_scores, dtype=np.float64)
    return -escape_threshold(turned, escape=overkill, confidence=confidence, groups=groups, rng=rng)


def overkill(
    good_scores: Sequence[float] | np.ndarray,
    threshold: float,
    *,
    confidence: float,
    groups: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[float, float]:
    """Return the share of good parts that are stopped, and its upper limit.

    With groups the limit follows from parts drawn as in `escape_threshold`. It is never below the
    share seen.

    Args:
        good_scores: Scores of held-out good parts.
        threshold: Stop from here on.
        confidence: Probability that the limit holds.
        groups: Group of each part; None: all are independent.
        rng: The generator that draws; needed with groups.

    >>> overkill([0.1, 0.2, 0.9, 0.3], 0.5, confidence=0.95)[0]
    0.25
    """
    stopped = np.asarray(good_scores, dtype=np.float64) >= threshold
    drawn = _independent(stopped, groups, rng)
    seen = float(stopped.mean()) if len(stopped) else float("nan")
    limit = rate_at_most(int(drawn.sum()), len(drawn), confidence=confidence)
    return seen, max(limit, seen) if len(stopped) else limit


def just_below(score: float, *, slack: float) -> float:
    """Return the threshold that a part with this score reaches whenever it is scored again.

    A runtime adds float32 numbers in an order that depends on the batch, the threads and the
    processor, so the part that sets a threshold would pass half of the time.

    Args:
        score: A defect score, in [0, 1].
        slack: How much the logarithm of score / (1 - score) may be off, at least 0.

    >>> f"{just_below(0.5, slack=0.004):.4f}", just_below(1.0, slack=0.004) < 1
    ('0.4990', True)
    """
    # Near 1 the score itself is rounded, to some multiples of epsilon.
    return float(expit(logit(score) - slack) * (1 - 8 * np.finfo(np.float64).eps))


def just_above(score: float, *, slack: float) -> float:
    """Return the threshold that a part with this score never reaches when it is scored again.

    Args:
        score: A defect score, in [0, 1].
        slack: How much the logarithm of score / (1 - score) may be off, at least 0.

    >>> f"{just_above(0.5, slack=0.004):.4f}", just_above(0.0, slack=0.004) > 0
    ('0.5010', True)
    """
    above = float(expit(logit(score) + slack) * (1 + 8 * np.finfo(np.float64).eps))
    return max(above, float(np.nextafter(score, 1)))


def _independent(
    values: np.ndarray, groups: Sequence[str] | None, rng: np.random.Generator | None
) -> np.ndarray:
    if groups is None:
        return values
    if rng is None:
        raise ValueError("groups need a generator, rng=np.random.default_rng(seed)")
    return values[draw_independent(groups, rng)]


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ValueError(f"{name}={value} must lie between 0 and 1, e.g. 0.02 for 2 %")
