import functools

import pytest

from alvision.acquisition import (
    bald,
    entropy,
    k_center,
    margin,
    name_of,
    needs,
    needs_of,
    properties,
    properties_of,
    random_sampling,
    score_of,
    top_k,
)


def test_a_fused_score_needs_no_log_probs_but_its_passes():
    assert needs_of(functools.partial(top_k, score=entropy)) == {"scores"}
    assert needs_of(functools.partial(top_k, score=bald)) == {"scores", "passes"}
    assert needs_of(k_center) == {"features"}
    assert needs_of(random_sampling) == frozenset()
    assert needs_of(bald) == {"log_probs", "passes"}


def test_declarations_are_seen_through_partials_in_partials():
    inner = functools.partial(functools.partial(bald))
    acquire = functools.partial(functools.partial(top_k, score=margin), score=inner)
    assert needs_of(acquire) == {"scores", "passes"}
    assert score_of(acquire) is inner
    assert name_of(acquire) == "top_k(score=bald)"
    assert properties_of(acquire) == {"deterministic", "disagreement"}


def test_a_select_that_keeps_log_probs_needs_what_its_score_needs():
    @needs("features")
    def mixed(pool, labelled, *, n, rng, score=margin):
        return top_k(pool, labelled, n=n, rng=rng, score=score)

    assert needs_of(mixed) == {"features", "log_probs"}
    assert score_of(mixed) is margin


def test_without_a_score_there_is_none():
    assert score_of(k_center) is None
    assert score_of(top_k) is None
    assert needs_of(top_k) == {"scores"}


def test_an_object_can_be_a_strategy():
    @needs("features")
    @properties("deterministic")
    class First:
        def __call__(self, pool, labelled, *, n, rng):
            return None

    assert needs_of(First()) == {"features"}
    assert properties_of(First()) == {"deterministic"}
    assert name_of(First()) == "First"


def test_unknown_names_are_refused_at_once():
    with pytest.raises(
        ValueError, match="needs: logits is none of defects, features, labels, log_probs"
    ):
        needs("logits")
    with pytest.raises(ValueError, match="properties: fast is none of deterministic"):
        properties("fast")


def test_a_score_that_declares_nothing_is_named():
    def mine(log_probs):
        return log_probs.mean((1, 2))

    with pytest.raises(ValueError, match="mine does not declare what it reads"):
        needs_of(functools.partial(top_k, score=mine))
