"""One page of a bundle's most telling predictions, each picture beside its heatmap."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from alvision.data.images import UnreadableImage, load
from alvision.reporting.html import THUMBNAIL_SIDE, count, render

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.predict import Prediction

HOT = np.array([230, 60, 20], np.float32)


def page(bundle: Bundle, shown: Sequence[Prediction], root: Path, counts: Mapping[str, int]) -> str:
    """Return the page.

    Args:
        bundle: What predicted.
        shown: Predictions with their activation maps, the most telling first.
        root: The folder of the images.
        counts: How many images there are of each kind, over all.
    """
    return render(
        "predictions.html",
        name=bundle.about["name"],
        root=root.name,
        tiles=[(kind, f"{number:,}") for kind, number in counts.items()],
        promise=(bundle.thresholds or {}).get("promise"),
        energy=bundle.about["activation_map"] == "energy",
        shown=count(len(shown), "image"),
        pictures=[_picture(bundle, prediction, root) for prediction in shown],
    )


def heat(pixels: np.ndarray, map: np.ndarray) -> np.ndarray:
    """Lay an activation map over a picture.

    Args:
        pixels: uint8 [S,S,3].
        map: [h,w]; below 0 counts as 0, its maximum glows.

    >>> heat(np.zeros((4, 4, 3), np.uint8), np.array([[0.0, 1.0], [0.0, 0.0]])).max(2).argmax() % 4
    np.int64(3)
    """
    values = np.clip(np.nan_to_num(map), 0, None).astype(np.float32)
    values /= max(float(values.max()), 1e-12)
    side = pixels.shape[1], pixels.shape[0]
    large = np.asarray(Image.fromarray(values).resize(side, Image.Resampling.BILINEAR))
    share = 0.65 * np.clip(large, 0, 1)[..., None]
    return (pixels * (1 - share) + HOT * share).astype(np.uint8)


def _picture(bundle: Bundle, prediction: Prediction, root: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"image": prediction.image, "reason": prediction.reason, "pair": None}
    if prediction.values is None:
        return told
    told |= prediction.values
    told["likely"] = max(prediction.values[f"p:{name}"] for name in bundle.classes)
    try:
        spec = replace(bundle.spec, size=THUMBNAIL_SIDE)
        pixels = load(root / prediction.image, spec)
    except UnreadableImage:
        return told
    pair = [pixels] if prediction.map is None else [pixels, heat(pixels, prediction.map)]
    told["pair"] = _address(np.concatenate(pair, axis=1))
    return told


def _address(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
