import doctest
import functools
import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import bald, k_center, needs_of, properties_of, random_sampling, top_k
from alvision.explain.reasons import reasons
from alvision.inference.predictions import Predictions

CLASSES = ["ok", "worn", "bent"]


def ids(n):
    return tuple(f"{i}.png" for i in range(n))


def words(log_probs, needs=frozenset({"scores"}), classes=CLASSES, **more):
    picked = Predictions(ids(len(log_probs)), log_probs=log_probs)
    return reasons(
        picked, [0.5] * len(picked), needs=needs, slot="acquisition", classes=classes, **more
    )


def distances(scores):
    picked = Predictions(ids(len(scores)))
    return reasons(
        picked,
        scores,
        needs=needs_of(k_center),
        slot="cold_start",
        classes=CLASSES,
        properties=properties_of(k_center),
    )


def votes(*counts):
    """Passes of which counts[c] are sure of class c."""
    rows = [torch.eye(len(counts))[c] for c, count in enumerate(counts) for _ in range(count)]
    return torch.stack(rows)[None].log()


def test_examples_in_the_documentation_run():
    module = importlib.import_module("alvision.explain.reasons")
    assert doctest.testmod(module).failed == 0


def test_a_random_draw_claims_nothing_even_where_probabilities_are_at_hand():
    assert words(torch.tensor([[[0.5, 0.5, 0.0]]]).log(), needs=needs_of(random_sampling)) == [
        "drawn at random"
    ]


def test_an_audit_row_is_drawn_at_random_whatever_the_strategy():
    picked = Predictions(ids(2), log_probs=torch.full((2, 1, 3), 1 / 3).log())
    assert (
        reasons(picked, [1.0, 1.0], needs=frozenset({"scores"}), slot="audit", classes=CLASSES)
        == ["drawn at random for the audit"] * 2
    )


def test_uncertainty_names_the_two_best_classes_of_the_mean_over_passes():
    p = torch.tensor([[[0.6, 0.1, 0.3], [0.2, 0.1, 0.7]], [[0.1, 0.8, 0.1], [0.1, 0.6, 0.3]]])
    assert words(p.log()) == [
        "between bent (0.50) and ok (0.40)",
        "between worn (0.70) and bent (0.20)",
    ]


def test_a_clear_image_is_not_said_to_lie_between_classes():
    assert words(torch.tensor([[[0.97, 0.02, 0.01]]]).log()) == [
        "most likely ok (0.97), then worn (0.02)"
    ]


def test_one_class():
    assert words(torch.zeros(1, 1, 1), classes=["ok"]) == ["most likely ok (1.00)"]


def test_disagreement_counts_the_passes():
    needs = needs_of(bald)
    assert words(votes(12, 8, 0), needs=needs) == [
        "the model disagrees with itself: ok in 12 of 20 passes, worn in 8"
    ]
    assert words(votes(3, 8, 9), needs=needs) == [
        "the model disagrees with itself: bent in 9 of 20 passes, worn in 8, ok in 3"
    ]


def test_passes_that_agree_on_the_class_are_not_said_to_disagree():
    p = torch.tensor([[[0.55, 0.45, 0.0], [0.98, 0.02, 0.0]], [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]])
    assert words(p.log(), needs=needs_of(bald)) == [
        "ok in all 2 passes, with probability 0.55 to 0.98",
        "ok in all 2 passes, with probability 0.70",
    ]


def test_distances_are_told_against_the_batch():
    assert distances([12.0, 6.0, 3.0]) == [
        "unlike anything labelled yet: distance 12, 2.0 x the batch's median",
        "unlike anything labelled or picked before it: distance 6, 1.0 x the batch's median",
        "unlike anything labelled or picked before it: distance 3, 0.5 x the batch's median",
    ]


def test_a_cold_start_does_not_speak_of_labels():
    assert distances([0.0, 4.0, 0.0]) == [
        "a typical image to start from: nothing is labelled yet",
        "unlike anything picked before it: distance 4, 1.0 x the batch's median",
        "same features as an image picked before it: nothing else is left",
    ]


def test_a_lone_pick_without_a_distance_claims_none():
    assert distances([0.0]) == ["the first choice: nothing differs more from what is labelled"]


def test_the_words_fit_what_k_center_really_did():
    features = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    pool = Predictions(ids(4), features=features)
    for labelled, first in (
        (Predictions(()), "a typical image"),
        (Predictions(("x.png",), features=torch.tensor([[0.0]])), "unlike anything labelled yet"),
    ):
        pick = k_center(pool, labelled, n=2, rng=torch.Generator())
        assert distances(pick.scores.tolist())[0].startswith(first)


def test_an_unknown_use_of_features_is_not_called_a_distance():
    picked = Predictions(ids(1), features=torch.ones(1, 2))
    needs = frozenset({"features"})
    known = {"needs": needs, "slot": "acquisition", "classes": CLASSES}
    assert reasons(picked, [1.5], **known, properties=frozenset({"deterministic"})) == [
        "score 1.5 on its features"
    ]
    assert reasons(picked, [1.5], **known)[0].startswith("unlike anything labelled yet")


def test_without_log_probs_the_score_is_all_there_is_to_tell():
    needs = frozenset({"scores"})
    assert reasons(Predictions(ids(1)), [0.25], needs=needs, slot="x", classes=CLASSES) == [
        "score 0.25"
    ]


def test_half_precision_and_zero_probabilities():
    p = torch.tensor([[[0.5, 0.5, 0.0]]])
    assert words(p.log().bfloat16()) == ["between ok (0.50) and worn (0.50)"]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="classes: 2 names for log_probs"):
        words(torch.full((1, 1, 3), 1 / 3).log(), classes=["ok", "worn"])
    with pytest.raises(ValueError, match="scores: 1 of them for 2 picked rows"):
        reasons(Predictions(ids(2)), [1.0], needs=frozenset(), slot="x", classes=CLASSES)


@settings(max_examples=40)
@given(st.integers(0, 4), st.integers(1, 5), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_one_sentence_a_row_for_any_predictions(n, passes, classes, several, seed):
    generator = torch.Generator().manual_seed(seed)
    log_probs = (5 * torch.randn(n, passes, classes, generator=generator)).log_softmax(-1)
    needs = needs_of(bald) if several else frozenset({"scores"})
    said = words(log_probs, needs=needs, classes=CLASSES[:classes])
    assert len(said) == n
    best = [CLASSES[c] for c in log_probs.exp().mean(1).argmax(1).tolist()] if n else []
    if not several:
        assert all(name in sentence for name, sentence in zip(best, said, strict=True))


def test_top_k_of_bald_is_told_by_its_passes():
    needs = needs_of(functools.partial(top_k, score=bald))
    assert "disagrees" in words(votes(2, 2, 0), needs=needs)[0]
