"""Until there are enough labels of each defect: look for it; then learn the boundary."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping

import torch

from alvision.acquisition.contract import needs, properties
from alvision.acquisition.herding import uncertainty_herding
from alvision.acquisition.mixture import mixture
from alvision.acquisition.novel import novel
from alvision.acquisition.select import random_sampling
from alvision.acquisition.similar import similar_to_defects
from alvision.acquisition.support.ops import check_count, labels_of
from alvision.acquisition.threshold import threshold_search
from alvision.inference.predictions import Acquire, Pick, Predictions

ENOUGH = 20
"""Labels of a class from which on it need not be looked for: some examples of each of its looks."""

SEARCH = types.MappingProxyType({"similar": 0.3, "novel": 0.5, "threshold": 0.1, "random": 0.1})
"""Shares of the search (docs/anomaly.md)."""

PARTS: Mapping[str, Acquire] = types.MappingProxyType(
    {
        "novel": novel,
        "similar": similar_to_defects,
        "threshold": threshold_search,
        "random": random_sampling,
        "herding": uncertainty_herding,
    }
)
WEIGHTS: Mapping[str, float] = types.MappingProxyType({**SEARCH, "herding": 0.0})


@needs("labels", "defects")
@properties("sampled")
def rare(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    parts: Mapping[str, Acquire] = PARTS,
    weights: Mapping[str, float] = WEIGHTS,
) -> Pick:
    """Look for each defect until 20 images of it are labelled, then hand over to the default.

    While a class of defects has fewer than 20 labels the batch is shared by `weights`: rows like
    the defects found so far (`similar_to_defects`), strange rows (`novel`), rows at the threshold
    between good and defective (`threshold_search`, arXiv 2312.09196), and rows drawn at random,
    whose propensities make estimates on them correctable. Before any defect is known the first and
    the third have nothing to go by, and strange rows take their shares. As many of the batch as
    there are classes of defects with 20 labels, of all classes of defects, go to
    `uncertainty_herding` already; all of it once each has them: part i has (1 - d)·w_i / sum w,
    herding d = classes of defects with 20 labels / classes of defects. A pick's slot is its part;
    see `mixture` for scores and propensities. Cost and memory are its parts' together.

    Use it where one image in a hundred or fewer is a defect, after `cold_start=patch_novelty`. A
    defect that is not there is looked for until the budget ends: name those only that there are.
    It loses to `uncertainty_herding` where defects are frequent: it asks for sure ones.

    Args:
        pool: The images to choose from.
        labelled: The images with labels.
        n: Number of picks.
        rng: Randomness.
        parts: Strategies by name: novel, similar, threshold, random and herding.
        weights: Shares of the search; herding's is not read.

    Raises:
        ValueError: No image is labelled or no class is a defect; n is negative or larger than the
            pool; or what a part raises.
    """
    check_count(n, pool)
    labels = labels_of(labelled)
    if not labelled.defects:
        raise ValueError(
            "labelled.defects is missing: say which classes are defects, in a run by defects=[...]"
        )
    counts = [int((labels == defect).sum()) for defect in labelled.defects]
    done = sum(count >= ENOUGH for count in counts) / len(counts)
    shares = {name: float(share) for name, share in weights.items() if name != "herding"}
    if not any(counts):
        shares["novel"] += shares["similar"] + shares["threshold"]
        shares["similar"] = shares["threshold"] = 0.0
    total = sum(shares.values())
    shares = {name: (1 - done) * share / total for name, share in shares.items()}
    pick = mixture(pool, labelled, n=n, rng=rng, parts=parts, weights={**shares, "herding": done})
    if pick.propensity is None:
        return dataclasses.replace(pick, propensity=torch.full_like(pick.scores, torch.nan))
    return pick
