"""How many bad images may have passed, from those that a random audit found; true at every moment.

Each bad image that passes is drawn with the probability p, whatever came before it. For any r below
1 the number r^found · ((1 - r p) / (1 - p))^(bad - found) is therefore 1 on average and stays so
from image to image, also where bad images come in waves. The mean of it over many r reaches 20 ever
with a probability of at most 1 / 20 (Ville's inequality; the method of mixtures: Howard et al.,
arXiv:1810.08240). So as many bad images as would make it 20 have not passed, however often one
looks and whenever one stops.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

# The values of r: the middles of equal parts of Beta(.3, 2). They hold whatever they are. Most are
# near 0, because most audits find nothing: then the limit needs 10 % more images than one that is
# read once. After a find it needs 42 % to 46 % more.
_RATIOS = stats.beta.ppf((np.arange(400) + 0.5) / 400, 0.3, 2)


@cache
def bad_at_most(found: int, share: float, *, confidence: float) -> int:
    """Return the upper limit of the number of bad images among all, found or not.

    Args:
        found: Bad images that were drawn.
        share: Probability of each image to be drawn, in (0, 1]; with 1 all are found.
        confidence: Probability that the limit holds at every moment.

    >>> [bad_at_most(found, 0.05, confidence=0.95) for found in (0, 1, 2)]
    [64, 131, 179]
    """
    if share >= 1:
        return found
    log_ratios = found * np.log(_RATIOS)
    missed = np.log1p(-_RATIOS * share) - np.log1p(-share)

    def possible(unseen: int) -> bool:
        values = log_ratios + unseen * missed
        most = values.max()
        return bool(most + np.log(np.exp(values - most).mean()) < -np.log1p(-confidence))

    low, high = 0, 1
    while possible(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if possible(middle) else (low, middle)
    return found + low
