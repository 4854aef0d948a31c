"""A round's work on blank images, so that the memory that it takes is known before it starts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from alvision.core import seeding
from alvision.training import fitting

if TYPE_CHECKING:
    from alvision.training.learner import Learner


def warm_up(learner: Learner) -> None:
    """Train and infer on one blank batch, as a round does; nothing is kept."""
    if learner._frozen or learner.backbone is None:
        learner.features.warm_up()
        return
    count, size = learner.engine.batch_size, learner.features.spec.size
    module = fitting.fit_net(
        partial(learner._module, learner.trainer.learning_rate, learner._new_trunk),
        [np.zeros((size, size, 3), np.uint8)] * count,
        [row % len(learner.classes) for row in range(count)],
        [str(row) for row in range(count)],
        backbone=learner.backbone,
        engine=learner.engine,
        trainer=replace(learner.trainer, epochs=1, validation_share=0.0),
        seed_of=partial(seeding.derive, learner.seed),
    )
    learner.features.warm_up(module.trunk)
