"""Strategies that swallow bad input or refuse it without saying what is wrong with it."""

import torch

from alvision.acquisition import entropy, k_center, needs, properties
from alvision.acquisition.support.ops import check_count, features_of, labels_of, scores_of
from alvision.inference.predictions import Predictions
from tests.unit.acquisition.faulty import highest, of


@needs("log_probs")
@properties("uncertainty", "deterministic")
def normalises_whatever_comes(log_probs):
    return entropy(log_probs.nan_to_num(0).log_softmax(-1))


@needs("scores")
def slices_with_a_negative_n(pool, labelled, *, n, rng):
    return highest(scores_of(pool, entropy), n)


@needs("scores")
def says_only_that_it_is_wrong(pool, labelled, *, n, rng):
    if not 0 <= n <= len(pool):
        raise ValueError("bad n")
    return highest(scores_of(pool, entropy), n)


@needs("features")
def trips_over_a_missing_field(pool, labelled, *, n, rng):
    check_count(n, pool)
    return highest(pool.features.sum(1), n)


@needs("features")
def sorts_nan(pool, labelled, *, n, rng):
    check_count(n, pool)
    features = pool.features if pool.features is None else pool.features.nan_to_num()
    clean = Predictions(pool.ids, features=features)
    return highest(features_of(clean, "pool").sum(1), n)


@needs("features")
def forgets_the_labelled(pool, labelled, *, n, rng):
    check_count(n, pool)
    features = features_of(pool, "pool")
    known = labelled.features if len(labelled) else features
    if known is None:
        raise ValueError("labelled.features is missing")
    return highest(torch.cdist(features, known.nan_to_num()).amin(1), n)


@needs("features", "labels")
def takes_any_label(pool, labelled, *, n, rng):
    check_count(n, pool)
    labels = labelled.labels if labelled.labels is None else labelled.labels.abs()
    labels_of(Predictions(labelled.ids, labels=labels))
    return k_center(pool, labelled, n=n, rng=rng)


@needs("features")
def computes_in_half_precision(pool, labelled, *, n, rng):
    check_count(n, pool)
    features = features_of(pool, "pool")
    return highest((features * 30).square().sum(1).half().to(features.dtype), n)


SWALLOWED = [
    (of(normalises_whatever_comes), "no error for a score of bad rows"),
    (slices_with_a_negative_n, "no error for n = -1"),
    (says_only_that_it_is_wrong, r"ValueError\('bad n'\) for n = -1"),
    (trips_over_a_missing_field, "AttributeError.*wanted: 'pool.features is missing'"),
    (sorts_nan, r"no error for .*wanted: 'pool.features \[9, 5\]', 'row 3'"),
    (forgets_the_labelled, r"no error for .*wanted: 'labelled.features \[4, 5\]', 'row 2'"),
    (takes_any_label, r"no error for .*wanted: 'labelled.labels \[4\]', 'row 1'"),
    (computes_in_half_precision, "half precision is computed in fp32"),
]
