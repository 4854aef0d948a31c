"""Find labelled images that are worth another answer."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout

import numpy as np

from alvision.core.records import SampleId
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.labels.consensus import Settled


def relabels(
    settled: Mapping[SampleId, Settled], probabilities: ClassProbabilities
) -> dict[SampleId, float]:
    """Score labelled images by ActiveLab, those most worth another answer first.

    The score weighs the votes on an image, the reliability of each person, and the model; it is low
    where the class is in doubt (arXiv 2301.11856, computed by cleanlab). Settled images are left
    out.

    Args:
        settled: The labelled images, see `consensus.consensus`.
        probabilities: Out-of-sample probabilities [N,C], see `Learner.cross_predict`: a model that
            was trained on a wrong label would not doubt it.

    Returns:
        Scores between 0 and 1 by id, in rising order; ties in an order drawn by the ids.
    """
    column = {name: place for place, name in enumerate(probabilities.classes)}
    people = sorted({by for image in settled.values() for by in image.votes})
    place = {by: at for at, by in enumerate(people)}
    ids, votes, rows = [], [], []
    for row, id in enumerate(probabilities.ids):
        image = settled.get(id)
        if image is None or image.by:
            continue
        row_votes = np.full(len(people), np.nan)
        for by, label in image.votes.items():
            if label in column:
                row_votes[place[by]] = column[label]
        if not np.isnan(row_votes).all():
            ids.append(id)
            votes.append(row_votes)
            rows.append(row)
    if not ids:
        return {}
    scores = _active_lab(np.stack(votes), probabilities.values[rows])
    order = sorted(range(len(ids)), key=lambda at: (scores[at], _draw(ids[at])))
    return {ids[at]: float(scores[at]) for at in order}


def _draw(id: SampleId) -> bytes:
    return hashlib.blake2b(id.encode()).digest()


def _active_lab(votes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    from cleanlab.multiannotator import get_active_learning_scores  # takes seconds to import

    voted = ~np.isnan(votes).all(axis=0)
    # It prints people who labelled alone, and warns where no two people agree yet.
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Annotators do not agree on any example")
        scores, _ = get_active_learning_scores(votes[:, voted], probabilities)
    return np.asarray(scores)
