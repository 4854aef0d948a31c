"""From what the network says to a verdict; the same lines run in a bundle's predict.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from alvision.deploy.bundle.novelty import novelty

COLUMNS = ("class", "verdict", "defect_score", "novelty")
"""What stands in a row before the probabilities."""


def decide(
    logits: Float[np.ndarray, "n c"],
    features: Float[np.ndarray, "n d"],
    reference: Float[np.ndarray, "m d"],
    about: Mapping[str, Any],
    limits: Mapping[str, Any] | None,
) -> list[list[Any]]:
    """Return a row an image: class, verdict, defect score, novelty, calibrated probabilities.

    The verdict is `pass`, `human` or `reject` by the thresholds, else by the likeliest class; it
    is empty where no class is a defect. A novelty above 1 is more than 99 in 100 held-out images
    have: the model has seen nothing like it.

    Args:
        logits: Of N images.
        features: Of the same images.
        reference: Features of known images.
        about: What `bundle.json` says.
        limits: What `thresholds.json` says, if there is one.
    """
    scaled = logits.astype(np.float64) / about["temperature"]
    likely = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    classes, defects = about["classes"], about["defects"] or ()
    score = likely[:, [classes.index(name) for name in defects]].sum(axis=1)
    strange = novelty(features, reference) / about["novelty"]["usual"]
    rows = []
    for i, row in enumerate(likely):
        name = classes[int(row.argmax())]
        if not defects:
            verdict = ""
        elif limits is None:
            verdict = "reject" if name in defects else "pass"
        elif score[i] < limits["low"]:
            verdict = "pass"
        else:
            verdict = "reject" if score[i] >= limits["high"] else "human"
        rows.append([name, verdict, float(score[i]), float(strange[i]), *map(float, row)])
    return rows
