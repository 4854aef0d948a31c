"""Novelty and classifier as one score: novelty first, and the classifier as it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

HALF = 20
"""Known defects with which the classifier counts as much as novelty (docs/anomaly.md)."""
USUAL = 0.01
"""Share of the pool that is called defective while nobody knows a defect."""
LEVELS = 101
"""Places at which a pool's values are kept, close together at both ends, where it counts."""


@dataclass(frozen=True)
class Place:
    """Where a value lies among those of a pool: the log-odds of the share that is below it.

    So classifier and novelty have one unit, whatever their own is. Beyond the pool's ends it goes
    on by the pool's deviations.

    Attributes:
        values: The pool's values at rising log-odds, [L].
        odds: These log-odds, [L].
        deviation: The pool's deviation.
    """

    values: tuple[float, ...]
    odds: tuple[float, ...]
    deviation: float

    @classmethod
    def among(cls, pool: Float[np.ndarray, " n"]) -> Place:
        """Return the place among the values of a pool, at least one.

        >>> Place.among(np.array([1.0, 2.0, 3.0]))(np.array([2.0]))
        array([0.])
        """
        most = np.log(len(pool) + 1)
        odds = np.linspace(-most, most, LEVELS)
        values = np.quantile(pool, 1 / (1 + np.exp(-odds)))
        deviation = float(pool.std())
        return cls(tuple(values.tolist()), tuple(odds.tolist()), deviation if deviation else 1.0)

    def __call__(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return the log-odds of each value's place; a larger value is never placed lower."""
        low, high = self.values[0], self.values[-1]
        beyond = (values - np.clip(values, low, high)) / self.deviation
        return np.interp(values, self.values, self.odds) + beyond


@dataclass(frozen=True)
class Joined:
    """How likely an image is a defect, by its novelty and by what the classifier says.

    Attributes:
        share: How much the classifier counts, 0 to 1; novelty counts the rest.
        classifier: Places the classifier's log-odds of a defect.
        novelty: Places novelty.
        limit: The joined place of an image that is as likely a defect as not.
    """

    share: float
    classifier: Place
    novelty: Place
    limit: float

    def __call__(
        self, log_odds: Float[np.ndarray, " n"], novelty: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Return the log-odds that each image is a defect.

        Args:
            log_odds: What the classifier says.
            novelty: How strange each image is.
        """
        places = self.classifier(log_odds), self.novelty(novelty)
        return self.share * places[0] + (1 - self.share) * places[1] - self.limit

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Joined:
        """Return what `dataclasses.asdict` made of it."""
        places = {
            name: Place(tuple(own["values"]), tuple(own["odds"]), own["deviation"])
            for name in ("classifier", "novelty")
            for own in [plain[name]]
        }
        return cls(share=plain["share"], limit=plain["limit"], **places)


def join(
    log_odds: Float[np.ndarray, " n"], novelty: Float[np.ndarray, " n"], defects: int
) -> Joined:
    """Join classifier and novelty as far as the classifier has learned: d / (d + 20) counts for it.

    d is the number of labelled defects. Without any the score is novelty alone. As many images of
    the pool are called defects as the classifier calls.

    Args:
        log_odds: What the classifier says of the pool's images, at least one.
        novelty: How strange they are.
        defects: Labelled defects; 0 where the classifier is not fitted.

    >>> pool = np.array([1.0, 2.0, 3.0])
    >>> join(pool, pool, 0).share, join(pool, pool, 20).share
    (0.0, 0.5)
    """
    share = defects / (defects + HALF)
    start = Joined(share, Place.among(log_odds), Place.among(novelty), 0.0)
    called = float((log_odds > 0).mean()) if defects else USUAL
    limit = float(np.quantile(start(log_odds, novelty), 1 - called))
    return Joined(share, start.classifier, start.novelty, limit)
