"""Predict labelled images by models that did not learn them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from alvision.core import seeding
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.inference.predictions import SampleId
from alvision.training.fitter import Fitter

FOLDS = 5
"""More folds train more heads on hardly more labels; fewer leave each head too few of them."""


def cross_predict(
    fitter: Fitter, labels: Mapping[SampleId, str], *, round: int
) -> ClassProbabilities:
    """Predict labelled images out of sample: each by a head that saw no image of its group.

    The groups are dealt into five folds at random, and for each fold a head is fitted on the
    features of all other images. The features are those of the initial trunk, which has seen no
    label, so the prediction is out of sample for a finetuned network, too.

    Args:
        fitter: Fits the heads.
        labels: Class names by id; images that cannot be read are left out.
        round: Its number, which the randomness depends on.

    Returns:
        Probabilities [N,C] over the run's classes; uniform where all labelled images are one group
        or one class.
    """
    from sklearn.model_selection import KFold

    # Without callbacks: these fits are no rounds.
    fitter = replace(fitter, trainer=replace(fitter.trainer, callbacks=None))
    ids, inputs = fitter.features.initial(sorted(labels))
    shape = (len(ids), len(fitter.classes))
    values = np.full(shape, 1 / shape[1])
    names, group = np.unique([fitter.groups[id] for id in ids], return_inverse=True)
    if len(names) > 1:
        seed = seeding.derive(fitter.seed, round, "cross_predict") % 2**32
        deal = KFold(min(FOLDS, len(names)), shuffle=True, random_state=seed)
        for _, held in deal.split(names):
            out = np.isin(group, held)
            rest = [id for id, left in zip(ids, out, strict=True) if not left]
            targets = {id: fitter.classes.index(labels[id]) for id in rest}
            model = fitter.fit_head(targets, round)
            if model.module is not None:
                with torch.inference_mode():
                    logits = model.module.head(inputs[torch.from_numpy(out)])
                values[out] = logits.softmax(dim=-1).numpy()
    return ClassProbabilities(tuple(ids), fitter.classes, values)
