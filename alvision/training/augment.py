"""Random changes to training images; they follow the evaluation transform and never replace it."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from alvision.core.errors import UserError

KINDS = ("none", "light", "full")


class Augment:
    """Change images at random; the same image, kind and seed give the same result in any thread.

    `light` flips and shifts brightness and contrast a little; `full` adds quarter turns, small
    shifts, turns and zooms, and noise.

    Args:
        kind: `none`, `light` or `full`.

    Raises:
        UserError: The kind is unknown.

    >>> Augment("none")(np.zeros((4, 4, 3), np.uint8), seed=1).shape
    (4, 4, 3)
    """

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise UserError(f"trainer.augment={kind}: choose {', '.join(KINDS)}")
        self.kind = kind
        self._of_thread = threading.local()  # a transform carries its own random state

    def __reduce__(self) -> tuple[type[Augment], tuple[str]]:
        """Let a rank of its own make its own."""
        return Augment, (self.kind,)

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Return a changed copy of an image, uint8 [H,W,3]."""
        if self.kind == "none":
            return image
        transform = getattr(self._of_thread, "transform", None)
        if transform is None:
            transform = self._of_thread.transform = _transform(self.kind)
        transform.set_random_seed(seed)
        return transform(image=image)["image"]


def _transform(kind: str) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it calls home on import otherwise
    import albumentations

    steps = [
        albumentations.HorizontalFlip(p=0.5),
        albumentations.VerticalFlip(p=0.5),
        albumentations.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
    ]
    if kind == "full":
        steps += [
            albumentations.RandomRotate90(p=0.5),
            albumentations.Affine(
                scale=(0.9, 1.1),
                translate_percent=(-0.05, 0.05),
                rotate=(-10, 10),
                border_mode=_REFLECT,
                p=0.5,
            ),
            albumentations.GaussNoise(std_range=(0.01, 0.04), p=0.3),
        ]
    return albumentations.Compose(steps)


_REFLECT = 4  # cv2.BORDER_REFLECT_101: black corners would look like a defect
