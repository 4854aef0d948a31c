"""Acquisition functions by the field's names: pure functions of tensors.

A *score* maps log_probs [N, K, C] to [N], higher = more worth labelling. A *select* takes pool,
labelled, n and a generator and returns n unique rows; `top_k(score=...)` makes a select of a score.
A new strategy is one function in a file here, which is found by its name, and one YAML in
`configs/acquisition/`; `testing.conformance.check` says what it breaks. Nothing here may read
files, labels or the configuration: torch and `inference.predictions` are the only imports.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from alvision.acquisition.badge import badge
from alvision.acquisition.batch_bald import batch_bald
from alvision.acquisition.contract import (
    name_of,
    needs,
    needs_of,
    parts_of,
    properties,
    properties_of,
    score_of,
)
from alvision.acquisition.epig import epig
from alvision.acquisition.herding import max_herding, uncertainty_herding
from alvision.acquisition.k_center import k_center
from alvision.acquisition.large_batches import cluster_margin, drop_query
from alvision.acquisition.mixture import class_balanced, mixture
from alvision.acquisition.novel import novel
from alvision.acquisition.power import power_sampling
from alvision.acquisition.prob_cover import prob_cover
from alvision.acquisition.rare import rare
from alvision.acquisition.scores import (
    bald,
    entropy,
    expected_entropy,
    least_confidence,
    margin,
    mean_std,
    variation_ratio,
)
from alvision.acquisition.select import random_sampling, top_k
from alvision.acquisition.similar import similar_to_defects
from alvision.acquisition.threshold import threshold_search
from alvision.acquisition.typiclust import typiclust

__all__ = [
    "badge",
    "bald",
    "batch_bald",
    "class_balanced",
    "cluster_margin",
    "drop_query",
    "entropy",
    "epig",
    "expected_entropy",
    "k_center",
    "least_confidence",
    "margin",
    "max_herding",
    "mean_std",
    "mixture",
    "name_of",
    "needs",
    "needs_of",
    "novel",
    "parts_of",
    "power_sampling",
    "prob_cover",
    "properties",
    "properties_of",
    "random_sampling",
    "rare",
    "score_of",
    "similar_to_defects",
    "threshold_search",
    "top_k",
    "typiclust",
    "uncertainty_herding",
    "variation_ratio",
]


def __getattr__(name: str) -> Any:
    # A strategy of a file in this folder that the list above does not have yet.
    if not name.startswith("_"):
        for module in iter_modules(__path__):
            if not module.ispkg:
                found = getattr(import_module(f"{__name__}.{module.name}"), name, None)
                if hasattr(found, "needs"):
                    return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
