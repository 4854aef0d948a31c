"""The band between the two thresholds: which parts a person looks at.

Both rules weigh defects and good parts by their share on the line. The sealed images cannot tell
it: where somebody imported a drawer of known bad parts, nearly half of them are bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alvision.deploy.bundle.thresholds import NEVER


@dataclass(frozen=True)
class Band:
    """Two thresholds; a person looks at the parts between them.

    Below `low` it passes, from `high` on it is rejected.

    Attributes:
        low: The threshold of the promise.
        high: The upper threshold; `NEVER` where nothing is rejected.
        human: Share of the line's parts that a person looks at, estimated.
    """

    low: float
    high: float
    human: float


def human_band(
    defect_scores: Sequence[float] | np.ndarray,
    good_scores: Sequence[float] | np.ndarray,
    threshold: float,
    *,
    human: float,
    defect_share: float,
) -> Band:
    """Send as many doubtful parts above the threshold to a person as the person has time for.

    The promise still holds, because nothing changes below the threshold. Of the parts above it the
    least suspicious go to a person, and the rest are rejected unseen.

    Args:
        defect_scores: Scores of held-out defects.
        good_scores: Scores of held-out good parts.
        threshold: The threshold of the promise.
        human: Share of all parts that a person has time for, in [0, 1].
        defect_share: Share of the line's parts that are defects, in [0, 1].

    >>> human_band([0.9], [0.1, 0.4, 0.5, 0.6], 0.4, human=0.5, defect_share=0.0)
    Band(low=0.4, high=0.6, human=0.5)
    """
    if not 0 <= human <= 1:
        raise ValueError(f"human={human} must be a share, 0 to 1")
    marks, looked_at, _ = _bands(defect_scores, good_scores, threshold, defect_share)
    # Equal scores are treated alike, so a part that does not fit sends its equals away with it.
    best = int(np.flatnonzero(looked_at <= human + 1e-9)[-1])
    return Band(threshold, float(marks[best]), float(looked_at[best]))


def cost_band(
    defect_scores: Sequence[float] | np.ndarray,
    good_scores: Sequence[float] | np.ndarray,
    threshold: float,
    *,
    look: float,
    scrap: float,
    defect_share: float,
) -> Band:
    """Send parts to a person as long as that costs less than scrapping good ones.

    Minimises look · (share of parts looked at) + scrap · (share of good parts rejected unseen).

    Args:
        defect_scores: Scores of held-out defects.
        good_scores: Scores of held-out good parts.
        threshold: The threshold of the promise.
        look: Cost of a person's look at a part.
        scrap: Cost of a good part that is scrapped.
        defect_share: Share of the line's parts that are defects, in [0, 1].

    >>> cost_band([0.8, 0.9], [0.1, 0.5, 0.7], 0.4, look=1, scrap=10, defect_share=0.1)
    Band(low=0.4, high=0.8, human=0.6)
    """
    if not (look >= 0 and scrap >= 0):
        raise ValueError(f"look={look} and scrap={scrap} must be costs, from 0")
    marks, looked_at, scrapped = _bands(defect_scores, good_scores, threshold, defect_share)
    best = int(np.argmin(look * looked_at + scrap * scrapped))
    return Band(threshold, float(marks[best]), float(looked_at[best]))


def _bands(
    defect_scores: Sequence[float] | np.ndarray,
    good_scores: Sequence[float] | np.ndarray,
    threshold: float,
    defect_share: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every upper threshold, and the shares of parts looked at and of good ones scrapped."""
    if not 0 <= defect_share <= 1:
        raise ValueError(f"defect_share={defect_share} must be a share, 0 to 1")
    defects, good = (np.asarray(s, dtype=np.float64) for s in (defect_scores, good_scores))
    above = np.concatenate([defects, good])
    marks = np.unique([threshold, *above[above >= threshold], NEVER])

    def between(scores: np.ndarray) -> np.ndarray:
        ordered = np.sort(scores)
        below = np.searchsorted(ordered, marks) - np.searchsorted(ordered, threshold)
        return below / max(1, len(ordered))

    looked_at_good = between(good)
    looked_at = defect_share * between(defects) + (1 - defect_share) * looked_at_good
    scrapped = (1 - defect_share) * (looked_at_good[-1] - looked_at_good)
    return marks, looked_at, scrapped
