"""The page of a bundle's most telling predictions, each picture beside its heatmap."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from alvision.data.framing import squared
from alvision.data.images import UnreadableImage, load
from alvision.data.storage.stored_path import ImagePath
from alvision.reporting.html import THUMBNAIL_SIDE, count, render, save

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.predict import Prediction

HOT = np.array([230, 60, 20], np.float32)
"""Colour of the heatmap."""


def write(
    bundle: Bundle,
    shown: Sequence[Prediction],
    root: ImagePath,
    counts: Mapping[str, int],
    path: Path,
) -> None:
    """Write the page.

    Args:
        bundle: The bundle that predicted.
        shown: Predictions with their activation maps, the most telling first.
        root: The folder of the images.
        counts: How many images there are of each kind, among all predicted.
        path: The file.
    """
    html = render(
        "predictions.html",
        name=bundle.manifest.name,
        root=root.name,
        tiles=[(kind, f"{number:,}") for kind, number in counts.items()],
        promise=bundle.promise,
        kind=bundle.manifest.activation_map,
        shown=count(len(shown), "image"),
        pictures=[_picture(bundle, prediction, root) for prediction in shown],
    )
    save(path, html)


def heat(pixels: np.ndarray, map: np.ndarray, most: float | None = None) -> np.ndarray:
    """Return a picture with an activation map over it, uint8 [S,S,3].

    Args:
        pixels: uint8 [S,S,3].
        map: [h,w]; values below 0 count as 0.
        most: The value that glows; None: the map's maximum.

    >>> heat(np.zeros((4, 4, 3), np.uint8), np.array([[0.0, 1.0], [0.0, 0.0]])).max(2).argmax() % 4
    np.int64(3)
    """
    values = np.clip(np.nan_to_num(map), 0, None).astype(np.float32)
    values /= max(float(values.max()) if most is None else most, 1e-12)
    side = pixels.shape[1], pixels.shape[0]
    large = np.asarray(Image.fromarray(values).resize(side, Image.Resampling.BILINEAR))
    share = 0.65 * np.clip(large, 0, 1)[..., None]
    return (pixels * (1 - share) + HOT * share).astype(np.uint8)


def _picture(bundle: Bundle, prediction: Prediction, root: ImagePath) -> dict[str, Any]:
    card = {
        "image": prediction.image,
        "reason": prediction.reason,
        "decision": prediction.decision,
        "pair": None,
    }
    if prediction.decision is None:
        return card
    try:
        pixels = load(root / prediction.image, bundle.spec.scaled(THUMBNAIL_SIDE))
    except UnreadableImage:  # taken away since it was predicted
        return card
    pair = [pixels]
    if prediction.map is not None and (memory := bundle.manifest.memory):
        # From half the level to twice it, as on the page for labelling.
        pair.append(heat(pixels, prediction.map - memory.level / 2, 1.5 * memory.level))
    elif prediction.map is not None:
        pair.append(heat(pixels, prediction.map))
    pair = [squared(one) for one in pair]
    return card | {"pair": _address(np.concatenate(pair, axis=1))}


def _address(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
