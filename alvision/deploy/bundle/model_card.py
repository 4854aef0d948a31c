"""The model card of a bundle: what it is, what it was made from, what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(about: Mapping[str, Any], differences: Mapping[str, float]) -> str:
    """Return a bundle's MODEL_CARD.md (model cards: arXiv 1810.03993).

    Args:
        about: What `bundle.json` says.
        differences: The largest difference of a logit of each backend.
    """
    judged = about["monitor"]
    defects = ", ".join(about["defects"] or ()) or "none named"
    labels = ", ".join(f"{count} {name}" for name, count in about["labels"].items())
    lines = [
        f"# {about['name']}",
        "",
        f"Sorts photographs into {', '.join(about['classes'])}. Defects: {defects}.",
        "",
        "## Made from",
        f"- {sum(about['labels'].values())} labels: {labels}.",
        f"- {about['backbone']}, images of {about['image']['size']} pixels, in fp32.",
        f"- alvision {about['alvision']}; labels {about['labels_hash'][:12]}, "
        f"images {about['data_hash'][:12]}.",
        "",
        "## Known about it",
        *_judged(judged),
        *(f"- {name}: no logit differs by more than {worst:.2g} from the model's."
          for name, worst in differences.items()),
        "",
        "## Use",
        "- `python predict.py images/` needs onnxruntime, numpy and Pillow, and nothing else.",
        "- `alvision threshold bundle=...` adds a threshold with a promise; without one the "
        "likeliest class is the verdict.",
        "- Light, lens, exposure and the kinds of defect must stay as they were when the "
        "photographs were taken. A new kind of defect voids every figure here.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _judged(judged: Mapping[str, Any]) -> list[str]:
    if not judged["n"]:
        return ["- Nothing: no held-out image has a label."]
    told = [
        f"- On {judged['n']} held-out monitor images: accuracy {judged['accuracy']:.3f}, "
        f"macro-F1 {judged['macro_f1']:.3f}, calibration error {judged['ece']:.3f}."
    ]
    if judged["escape_rate"] is not None:
        told.append(
            f"- Without a threshold {100 * judged['escape_rate']:.1f} % of the defects there pass "
            f"and {100 * judged['overkill_rate']:.1f} % of the good parts are rejected."
        )
    return told
