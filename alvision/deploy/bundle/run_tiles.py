"""Run a bundle's two networks over a photograph's tiles; its `predict.py` has this source too."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

BAG = "bag.onnx"
"""The network that turns the features of a photograph's tiles into its logits."""
TOGETHER = 8
"""Tiles that run at once: memory does not grow with the photograph."""


def run_tiles(
    network: Any, bag: Any, pixels: UInt8[np.ndarray, "rows columns h w 3"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits [1,C], features [1,E] and heat [1,C,rows,columns] of one photograph.

    Args:
        network: Session of the network that gives the features of tiles.
        bag: Session of the one that gives logits, features and heat of a bag.
        pixels: The photograph, as `images.load` reads it.
    """
    flat = pixels.reshape(-1, *pixels.shape[2:])
    parts = [flat[start : start + TOGETHER] for start in range(0, len(flat), TOGETHER)]
    tiles = np.concatenate([network.run(None, {"pixels": part})[0] for part in parts])
    logits, features, heat = bag.run(None, {"tiles": tiles})
    return logits, features, heat.T.reshape(1, -1, *pixels.shape[:2])
