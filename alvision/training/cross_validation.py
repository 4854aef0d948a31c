"""What the model would say of labelled images if it had not learned them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.model_selection import KFold

from alvision.core import seeding
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.inference.predictions import SampleId

if TYPE_CHECKING:
    from alvision.training.learner import Learner

FOLDS = 5


def cross_predict(
    learner: Learner, labels: Mapping[SampleId, str], *, round: int
) -> ClassProbabilities:
    """Predict labelled images out of sample: each by a head that saw no image of its group.

    The groups are dealt into five folds at random, and for each fold a head is fitted on the
    features of the initial trunk of all others; that trunk has seen no label, so this holds for
    a network that is finetuned, too.

    Args:
        learner: Whose head is fitted; its `cross_predict` is this function.
        labels: Class names by id; images that cannot be read are left out.
        round: Its number, which the randomness depends on.

    Returns:
        Probabilities [N,C] over the run's classes; uniform where all labelled images are one group
        or one class.
    """
    ids, inputs = learner.features.initial(sorted(labels))
    shape = (len(ids), len(learner.classes))
    values = np.full(shape, 1 / shape[1])
    names, group = np.unique([learner.groups[id] for id in ids], return_inverse=True)
    if len(names) > 1:
        seed = seeding.derive(learner.seed, round, "cross_predict") % 2**32
        deal = KFold(min(FOLDS, len(names)), shuffle=True, random_state=seed)
        for _, held in deal.split(names):
            out = np.isin(group, held)
            rest = [id for id, left in zip(ids, out, strict=True) if not left]
            targets = {id: learner.classes.index(labels[id]) for id in rest}
            model = learner._fit_head(targets, round)
            if model.module is not None:
                with torch.inference_mode():
                    logits = model.module.head(inputs[torch.from_numpy(out)])
                values[out] = logits.softmax(dim=-1).numpy()
    return ClassProbabilities(tuple(ids), learner.classes, values)
