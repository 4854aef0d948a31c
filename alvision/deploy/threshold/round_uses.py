"""The uses of the sealed images by the rounds of a simulated run.

A simulated run is evaluated on all its held-out images, because half of them would halve the power
of a comparison. So every round has scored the sealed ones, and somebody has seen what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alvision.core.records import SampleId
from alvision.deploy.threshold.look_log import SealUse
from alvision.evaluation.probabilities import ClassProbabilities


def uses_by_rounds(
    run: Path,
    hashes: Mapping[SampleId, str],
    *,
    defects: Mapping[str, str],
    good: Mapping[str, str],
) -> list[SealUse]:
    """Return a use for each round that has predictions of sealed images; they promised nothing.

    With people there are none: their rounds are evaluated on the monitor images alone.

    Args:
        run: The run's folder.
        hashes: sha256 of each image.
        defects: The group of each sealed defect, by its sha256.
        good: The group of each sealed good part, by its sha256.
    """
    uses = []
    for file in sorted((run / "rounds").glob("*/predictions.parquet")):
        scored = {hashes.get(id) for id in ClassProbabilities.read(file).ids}
        bad_ones = {content: group for content, group in defects.items() if content in scored}
        good_ones = {content: group for content, group in good.items() if content in scored}
        if bad_ones or good_ones:
            uses.append(SealUse("", f"round {file.parent.name}", bad_ones, 0.0, good_ones))
    return uses
