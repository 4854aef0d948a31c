"""What a watched line's bundle says of an image: where it goes, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import ABOUT, THRESHOLDS, Bundle, open_bundle
from alvision.deploy.bundle.statistics import measure, read_reference, statistic_names
from alvision.deploy.bundle.verdict import COLUMNS, decide
from alvision.watch.inbox import marks


class Judge:
    """A bundle that sorts.

    Args:
        folder: The bundle's folder.

    Attributes:
        bundle: The bundle.
        usual: What is usual in it.
        facts: What each fact of an image is, in words.
        model: The name of what decides: the bundle and its thresholds.

    Raises:
        UserError: It is no bundle, or it does not tell good parts from defects.
    """

    def __init__(self, folder: Path) -> None:
        self._marks = _marks(folder)
        self.bundle: Bundle = open_bundle(folder)
        if not self.bundle.defects or len(self.bundle.defects) == len(self.bundle.classes):
            raise UserError(
                f"{folder} does not tell good parts from defects, so nothing can pass: give "
                '"defects=[...]" to alvision train, and export again'
            )
        self.reference = read_reference(self.bundle)
        self.statistics = statistic_names(self.bundle.classes)
        limits = json.dumps(self.bundle.thresholds, sort_keys=True)
        text = f"{self.bundle.identity}{limits}"
        self.model = hashlib.sha256(text.encode()).hexdigest()[:16]
        # Read all of it now: another bundle may take its place before the first image comes.
        size = self.bundle.spec.size
        self.row_values(np.zeros((1, size, size, 3), np.uint8))

    @property
    def replaced(self) -> bool:
        """Tell whether another bundle, or another threshold, lies there now."""
        found = _marks(self.bundle.folder)
        return found[0] is not None and found != self._marks

    def row_values(self, pixels: UInt8[np.ndarray, "b h w 3"]) -> list[dict[str, Any]]:
        """Return the columns of `records.Row` that the bundle decides, a mapping per image."""
        bundle = self.bundle
        output = bundle.run(pixels)
        rows = decide(
            output.logits, output.features, bundle.reference, bundle.about, bundle.thresholds
        )
        facts = measure(
            pixels, output.logits, output.features, bundle.reference, self.reference.directions
        )
        return [self._row(values, own) for values, own in zip(rows, facts, strict=True)]

    def _row(self, values: list[Any], facts: np.ndarray) -> dict[str, Any]:
        name, verdict, score, strange = values[: len(COLUMNS)]
        likely = values[len(COLUMNS) :]
        second, first = sorted(likely)[-2:]
        return {
            "folder": "new" if strange > 1 else verdict,
            "class_": name,
            "defect_score": score,
            "novelty": strange,
            "probabilities": json.dumps([round(p, 6) for p in likely]),
            "worth": max(1 - (first - second), strange - 0.5),
            "facts": facts.tobytes(),
        }


def draw(name: str, sha256: str) -> float:
    """Return the number in [0, 1) that an image draws: the same one after every restart.

    It depends on the file alone, so it knows nothing of what the model thinks of the image.

    >>> draw("a.png", "f00d") == draw("a.png", "f00d") != draw("b.png", "f00d")
    True
    """
    digest = hashlib.blake2b(f"audit\0{name}\0{sha256}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _marks(folder: Path) -> tuple[object, object]:
    def mark(name: str) -> object:
        try:
            return marks(folder / name)
        except OSError:
            return None

    return mark(ABOUT), mark(THRESHOLDS)
