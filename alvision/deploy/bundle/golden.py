"""The golden images of a bundle: it is run whole on them before it is put anywhere.

Loading, network, scoring and verdict all run, so a bundle that would fail on the line fails here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from alvision.core.errors import UserError
from alvision.data.images import UnreadableImage, load
from alvision.data.storage.stored_path import ImagePath
from alvision.data.tiles import black
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.manifest import GoldenImage

GOLDEN = 8
"""Images that travel with the bundle, so that a copy can prove itself without the data set."""
TOLERANCE = 1e-2
"""Largest difference of a logit, as a share of the image's largest.

Wider than that between backends on one computer, because another computer's decoder of JPEG may
differ by a grey level.
"""


def write_golden(
    folder: Path, paths: Sequence[ImagePath], logits: Float[np.ndarray, "n c"]
) -> tuple[GoldenImage, ...]:
    """Copy images from all over the range of scores, with the logits that they must give.

    Args:
        folder: The bundle's folder.
        paths: N images.
        logits: Their logits.
    """
    (folder / "golden").mkdir()
    order = np.argsort(logits[:, -1], kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(GOLDEN, len(order))).round().astype(int)]
    golden = []
    for number, row in enumerate(dict.fromkeys(rows.tolist()), start=1):
        file = f"golden/{number}{paths[row].suffix.lower()}"
        (folder / file).write_bytes(paths[row].read_bytes())
        golden.append(GoldenImage(file, tuple(logits[row].astype(float).tolist())))
    return tuple(golden)


def try_out(bundle: Bundle) -> None:
    """Decide about every golden image; without any, about a black one.

    Raises:
        UserError: A golden image cannot be read or gives other logits than it must, or the bundle
            gives no number.
    """
    for golden in bundle.manifest.golden:
        path = bundle.folder / golden.file
        try:
            pixels = load(path, bundle.spec)
        except UnreadableImage as error:
            raise UserError(
                f"the bundle's {golden.file} cannot be read here: {error.reason}"
            ) from error
        found, expected = _decided(bundle, pixels, golden.file), np.array(golden.logits)
        gap = float(abs(found - expected).max())
        if gap > TOLERANCE * max(1.0, float(abs(expected).max())):
            raise UserError(
                "the bundle does not compute here what it was exported with: a logit of its "
                f"{golden.file} is off by {gap:.2g}; export it again with this alvision"
            )
    if not bundle.manifest.golden:
        _decided(bundle, black(bundle.spec), "a black image")


def _decided(bundle: Bundle, pixels: np.ndarray, name: str) -> np.ndarray:
    """Return the logits of one image that the bundle can decide about, [C]."""
    output = bundle.run(pixels[None])
    if output.logits.shape[1] != len(bundle.classes):
        raise UserError(
            f"the bundle's network has {output.logits.shape[1]} outputs for "
            f"{len(bundle.classes)} classes: train and export again"
        )
    if bundle.decide(output) == [None]:
        raise UserError(f"the bundle gives NaN or infinity for {name}: train and export again")
    return output.logits[0]
