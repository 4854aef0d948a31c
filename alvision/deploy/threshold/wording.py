"""A promise in a shop's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VOIDS = (
    "a kind of defect that was not among the sealed ones",
    "another camera, lens, light, exposure or position of the part",
    "another image spec, model or threshold than those in the bundle",
    "sealed images that were trained on, or chosen because the model found them hard",
)
DRAWER = (
    "to bring a drawer of known bad parts, photograph them as the line does and import them: "
    "alvision labels import slot=seal from=drawer.csv data.root=..."
)


def promise(content: Mapping[str, Any]) -> str:
    """Say what a threshold promises.

    Args:
        content: What `thresholds.json` says.

    >>> print(promise({"escape": 0.02, "confidence": 0.95, "spent_confidence": 0.95, "reading": 1,
    ...     "independent": False, "independent_defects": 200, "good": 50, "human": 0.0,
    ...     "overkill": {"seen": 0.04, "at_most": 0.12}}))
    Catches at least 98 of 100 bad parts, 95 % sure; about 4 of 100 good ones are stopped with \
them, at most 12. Proven on 200 independent sealed defects.
    """
    caught = 100 * (1 - content["escape"])
    sure = f"{100 * content['confidence']:g} % sure"
    text = f"Catches at least {caught:g} of 100 bad parts, {sure}"
    overkill = content["overkill"]
    if overkill["seen"] is None:
        text += "; how many good ones are stopped is not known: no good part is sealed"
    else:
        text += (
            f"; about {100 * overkill['seen']:.0f} of 100 good ones are stopped with them, at most "
            f"{100 * overkill['at_most']:.0f}"
        )
    text += f". Proven on {content['independent_defects']} independent sealed defects"
    if content["independent"]:
        text += ", each taken for independent of the others, whatever lot it comes from"
    if content["spent_confidence"] > content["confidence"]:
        text += (
            f". The seal was read {content['reading'] - 1} times before, so this reading had to "
            f"prove it with {100 * content['spent_confidence']:g} % confidence"
        )
    return text + "."
