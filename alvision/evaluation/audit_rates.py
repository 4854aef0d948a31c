"""What the audit says of a model's calls: errors, escapes and overkill, with limits that hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alvision.evaluation.betting import Draws, ratio_limits, share_limits


@dataclass(frozen=True)
class AuditRate:
    """A rate among the images that were set apart, with its limits.

    Attributes:
        rate: The estimate: hits by images counted, each weighted by 1 / its probability.
        low: Lower limit; it holds at every moment, together with `high`, 95 % sure.
        high: Upper limit.
        images: Drawn images that the rate is among; for escapes, the defective ones.
    """

    rate: float
    low: float
    high: float
    images: int


def audit_rates(
    order: Sequence[str],
    draws: Draws,
    called: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    unknown: Collection[str] = (),
    defects: Collection[str] = (),
) -> dict[str, AuditRate]:
    """Return the rates `error`, and with `defects` also `escape` and `overkill`.

    They speak of the set that was drawn from, as it is now, and of one model that did not learn
    from these images. Draws are read in their order up to the first one that nobody has answered:
    to leave those out would favour the easy images. A rate of which no image was drawn is missing.

    Args:
        order: The drawn images, in the order in which they were drawn.
        draws: How they were drawn.
        called: The class that the model gives each of them.
        labels: The class that people give them.
        unknown: Images that people were unsure of or skipped: each counts as a hit for the upper
            limit, and as none for the lower one.
        defects: Which classes are defects.

    >>> rates = audit_rates(["a", "b"], Draws.uniform(9, 2), {"a": "ok", "b": "ok"}, {"a": "ok"})
    >>> rates["error"].rate, rates["error"].images
    (0.0, 1)
    """
    answered = {*labels, *unknown}
    read = next((place for place, id in enumerate(order) if id not in answered), len(order))
    if not read:
        return {}
    draws = Draws(draws.images, draws.probability[:read], draws.least[:read])
    blank = np.array([id not in labels for id in order[:read]])
    truth = np.array([labels.get(id, "") for id in order[:read]])
    calls = np.array([called[id] for id in order[:read]])
    hits = {"error": (truth != calls, np.ones(read, bool))}
    if defects:
        bad, rejected = np.isin(truth, list(defects)), np.isin(calls, list(defects))
        hits |= {"escape": (bad & ~rejected, bad), "overkill": (~bad & rejected, ~bad)}
    return {
        name: _rate(hit & ~blank, among & ~blank, blank, draws, known=name == "error")
        for name, (hit, among) in hits.items()
        if (among & ~blank).any()
    }


def _rate(
    hits: np.ndarray, among: np.ndarray, unknown: np.ndarray, draws: Draws, *, known: bool
) -> AuditRate:
    """Return a rate; `known` says that the denominator is the whole set."""
    if known:
        low, high = (share_limits(seen, draws) for seen in (hits, hits | unknown))
    else:
        most = among | unknown
        low, high = (ratio_limits(seen, most, draws) for seen in (hits, hits | unknown))
    lowest, highest = float(low[0][-1]), float(high[1][-1])
    rate = float((draws.weights * hits).sum() / (draws.weights * among).sum())
    return AuditRate(min(max(rate, lowest), highest), lowest, highest, int(among.sum()))
