"""Run the bundle of a watched line: where an image goes, and what is recorded about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from alvision.core.errors import UserError
from alvision.data.tiles import black
from alvision.deploy.bundle.bundle import MANIFEST, Bundle, open_bundle
from alvision.deploy.bundle.statistics import measure, read_reference, statistic_names
from alvision.deploy.bundle.thresholds import THRESHOLDS
from alvision.deploy.bundle.verdict import NO_NUMBERS, Decision
from alvision.watch.inbox import marks


class Judge:
    """A bundle that sorts.

    Args:
        folder: The bundle's folder.

    Attributes:
        bundle: The bundle.
        reference: Statistics of its held-out images.
        statistics: The name of each statistic.
        model: Names what decides, see `Bundle.model`.

    Raises:
        UserError: It is no bundle, or its classes do not tell good parts from defects.
    """

    def __init__(self, folder: Path) -> None:
        self._marks = _marks(folder)
        self.bundle: Bundle = open_bundle(folder)
        if not self.bundle.defects or len(self.bundle.defects) == len(self.bundle.classes):
            raise UserError(
                f"{folder} does not tell good parts from defects, so nothing can pass: give "
                '"defects=[...]" and the run\'s own settings to alvision train, and export again'
            )
        self.reference = read_reference(self.bundle)
        self.statistics = statistic_names(self.bundle.classes)
        self.model = self.bundle.model
        # Load every file now, because another bundle may be installed before the first image comes.
        self.row_values(black(self.bundle.spec)[None])

    @property
    def replaced(self) -> bool:
        """Tell whether another bundle, or another threshold, is in the folder now."""
        found = _marks(self.bundle.folder)
        # Without bundle.json a promotion is between its two renames: keep the old model till then.
        return found[0] is not None and found != self._marks

    def row_values(self, pixels: UInt8[np.ndarray, "b *grid h w 3"]) -> list[dict[str, Any]]:
        """Return the columns of `records.Row` that the bundle decides, a mapping per image."""
        bundle = self.bundle
        output = bundle.run(pixels)
        statistics = measure(
            pixels,
            output.logits,
            output.features,
            bundle.strangeness(output),
            self.reference.directions,
        )
        decisions = bundle.decide(output)
        return [_columns(bundle, one, own) for one, own in zip(decisions, statistics, strict=True)]


def _columns(bundle: Bundle, decision: Decision | None, statistics: np.ndarray) -> dict[str, Any]:
    if decision is None:
        return {"folder": "broken", "reason": NO_NUMBERS}
    # Who knows good parts only cannot call a part bad: what it stops is new, and people see it.
    new = decision.verdict == "reject" if bundle.good_only else decision.novelty > 1
    return {
        "folder": "new" if new else decision.verdict,
        "class_": decision.class_name,
        "defect_score": decision.defect_score,
        "novelty": decision.novelty,
        "probabilities": json.dumps([round(p, 6) for p in decision.probabilities]),
        "worth": bundle.worth(decision),
        "facts": statistics.tobytes(),
    }


def _marks(folder: Path) -> tuple[object, object]:
    def mark(name: str) -> object:
        try:
            return marks(folder / name)
        except OSError:
            return None

    return mark(MANIFEST), mark(THRESHOLDS)
