"""The model card of a bundle: what it is, what it was made from, what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alvision.deploy.bundle.manifest import BundleManifest
from alvision.deploy.bundle.promise import percent_range
from alvision.evaluation.audit import too_few


def model_card(
    manifest: BundleManifest,
    differences: Mapping[str, float],
    contest: Mapping[str, Any] | None = None,
) -> str:
    """Return a bundle's MODEL_CARD.md (model cards: arXiv 1810.03993).

    Args:
        manifest: The bundle's manifest.
        differences: The largest difference of a logit of each backend.
        contest: How the kind of network was chosen, see `training.contest`; None: it was given.
    """
    defects = ", ".join(manifest.defects or ()) or "none named"
    labels = ", ".join(f"{count} {name}" for name, count in manifest.labels.items())
    lines = [
        f"# {manifest.name}",
        "",
        f"Sorts photographs into {', '.join(manifest.classes)}. Defects: {defects}.",
        "",
        "## Made from",
        f"- {sum(manifest.labels.values())} labels: {labels}.",
        *_memory(manifest),
        f"- {manifest.backbone}, images of {manifest.image.sides} pixels, in fp32.",
        f"- alvision {manifest.alvision}; labels {manifest.labels_hash[:12]}, "
        f"images {manifest.data_hash[:12]}.",
        "",
        *_contest(contest),
        "## Known about it",
        *_quality(manifest),
        *(f"- {name}: no logit differs by more than {worst:.2g} from the model's."
          for name, worst in differences.items()),
        "- Tested against the model before it on a line: only if `promoted.json` beside this card "
        "names one as `over`. Without that it was put there without a test.",
        "",
        "## Use",
        "- `python predict.py images/` needs onnxruntime, numpy and Pillow, and nothing else.",
        "- `alvision threshold bundle=...` sets a threshold with a proven escape rate, and writes "
        "what is promised and what not into thresholds.json; without it the likeliest class is the "
        "verdict.",
        "- Light, lens, exposure and the kinds of defect must stay as they were in the training "
        "photographs. With a new kind of defect none of these figures holds.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _memory(manifest: BundleManifest) -> list[str]:
    if manifest.memory is None:
        return []
    return [
        f"- No defect was labelled. It remembers {manifest.memory.size}, and stops what is unlike "
        "them. It cannot name a defect, and its defect score is no probability. 99 in 100 good "
        "parts stay below a novelty of 1.",
    ]


def _contest(contest: Mapping[str, Any] | None) -> list[str]:
    if contest is None:
        return []
    lines = ["## Which kind of network", f"{contest['chosen']}: {contest['reason']}.", ""]
    if not contest["entries"]:
        return lines
    rows = [
        f"| {one['name']} | {one['macro_f1']:.3f} | "
        f"{one['gain']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f}) | {one['log_loss']:.3f} |"
        if one["name"] != "frozen"
        else f"| {one['name']} | {one['macro_f1']:.3f} | | {one['log_loss']:.3f} |"
        for one in contest["entries"]
    ]
    return [
        *lines,
        f"On {contest['images']} labelled images that they had not learned, in three folds of "
        "whole groups; in brackets 95 % intervals of the gain:",
        "",
        "| network | macro-F1 | gain | log loss |",
        "| --- | ---: | ---: | ---: |",
        *rows,
        "",
    ]


def _quality(manifest: BundleManifest) -> list[str]:
    monitor = manifest.monitor
    if few := too_few(monitor.figures, "monitor image"):
        return [f"- Nothing: {few}."]
    lines = [
        f"- On {monitor.images} held-out monitor images: accuracy {monitor.accuracy:.3f} "
        f"({percent_range(monitor.right, monitor.images)}), macro-F1 {monitor.macro_f1:.3f}, "
        f"calibration error {monitor.calibration_error:.3f}."
    ]
    if monitor.escape_rate is not None:
        bad = np.isin(manifest.classes, manifest.defects or ())
        confusion = np.array(monitor.figures["confusion"])
        lines.append(
            f"- Without a threshold {_counted(confusion[bad], ~bad)} defects there pass and "
            f"{_counted(confusion[~bad], bad)} good parts are rejected."
        )
    lines.append("- In brackets: 95 % intervals, each image taken for independent of the others.")
    return lines


def _counted(confusion: np.ndarray, wrong: np.ndarray) -> str:
    count, n = int(confusion[:, wrong].sum()), int(confusion.sum())
    return f"{count} of {n} ({percent_range(count, n)})"
