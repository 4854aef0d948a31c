"""A round's work on blank images, so that its memory is known before the first label."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from alvision.core import seeding
from alvision.inference.statistics import unchanged
from alvision.training.datamodule import Examples
from alvision.training.fitter import Fitter


def warm_up(fitter: Fitter) -> None:
    """Train and infer on one blank batch, as a round does, so that its memory is known before.

    Nothing is kept.
    """
    features = fitter.features
    if fitter.frozen or features.backbone is None:
        features.warm_up()
        return
    count, shape = features.engine.batch_size, features.spec.shape
    # Without callbacks: what they count or write is the rounds' own.
    blank = replace(fitter.trainer, epochs=1, callbacks=None)
    once = replace(fitter, trainer=blank)
    images = [np.zeros((*shape, 3), np.uint8)] * count
    targets = [row % len(fitter.classes) for row in range(count)]
    seed_of = partial(seeding.derive, fitter.seed)
    statistics = unchanged(features.width)
    module = once.fit_pixels(Examples(images, targets), None, seed_of, statistics)
    features.warm_up(module.trunk)
