"""Random changes to training images; they follow the evaluation transform and never replace it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from alvision.core import doors
from alvision.core.errors import UserError

KINDS = ("none", "light", "full")


class Augment:
    """Change images at random; the same image, kind and seed give the same result in any thread.

    `light` flips and shifts brightness and contrast a little; `full` adds quarter turns, small
    shifts, turns and zooms, and noise.

    Args:
        kind: `none`, `light` or `full`; or a node that names a pipeline of the user's own: an
            `albumentations.Compose`, or whatever has its `set_random_seed(seed)` and is called by
            `pipeline(image=...)["image"]`.

    Raises:
        UserError: The kind is unknown, or the pipeline cannot be built.

    >>> Augment("none")(np.zeros((4, 4, 3), np.uint8), seed=1).shape
    (4, 4, 3)
    """

    def __init__(self, kind: str | Mapping[str, Any]) -> None:
        if isinstance(kind, str) and kind not in KINDS:
            raise UserError(f"trainer.augment={kind}: choose {', '.join(KINDS)}")
        self.kind = kind
        self._of_thread = threading.local()  # a transform carries its own random state
        if not isinstance(kind, str):
            self._transform()  # so that a mistake shows before any work

    def __reduce__(self) -> tuple[type[Augment], tuple[str | Mapping[str, Any]]]:
        """Let each rank make its own."""
        return Augment, (self.kind,)

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """Return a changed copy of an image, uint8 [H,W,3].

        Raises:
            UserError: The user's own pipeline changes the size or the type of an image.
        """
        if self.kind == "none":
            return image
        transform = self._transform()
        _seed(transform, np.random.SeedSequence(seed))
        changed: np.ndarray = transform(image=image)["image"]
        if changed.shape != image.shape or changed.dtype != image.dtype:
            raise UserError(
                f"trainer.augment turns {image.dtype} {list(image.shape)} into {changed.dtype} "
                f"{list(changed.shape)}; it must keep size and type, because normalising follows it"
            )
        return changed

    def _transform(self) -> Any:
        """Return this thread's own transform."""
        transform = getattr(self._of_thread, "transform", None)
        if transform is None:
            own = self.kind
            transform = _shipped(own) if isinstance(own, str) else _own(own)
            self._of_thread.transform = transform
        return transform


def _seed(transform: Any, seed: np.random.SeedSequence) -> None:
    """Seed a pipeline and each of its steps apart.

    `Compose.set_random_seed` gives all steps one seed: then whether one is applied decides for all.
    """
    transform.set_random_seed(int(seed.generate_state(1)[0]))
    steps = getattr(transform, "transforms", ())
    for step, own in zip(steps, seed.spawn(len(steps)), strict=True):
        if hasattr(step, "set_random_seed"):
            _seed(step, own)


def _own(node: Mapping[str, Any]) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it calls home on import otherwise
    import albumentations

    transform = doors.build(node, "trainer.augment")
    if isinstance(transform, albumentations.BasicTransform):
        raise UserError(
            f"trainer.augment: {node[doors.TARGET]} is a single transform; put it into the "
            "transforms of an albumentations.Compose"
        )
    if not callable(transform) or not hasattr(transform, "set_random_seed"):
        raise UserError(
            f"trainer.augment: {node[doors.TARGET]} gave a {type(transform).__name__}; it must "
            "give an albumentations.Compose, or what is called like one and has set_random_seed"
        )
    return transform


def _shipped(kind: str) -> Any:
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
