"""Figures of audit images: none of too few, and an interval that never pretends to know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.evaluation.audit import (
    AUDIT,
    INTERVAL,
    LEAST_IMAGES,
    evaluate_audit,
    interval,
    too_few,
    withheld,
)
from alvision.evaluation.metrics import METRICS, evaluate, metric, metric_names
from alvision.evaluation.outcomes import outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities

NAMES = ("ok", "worn")


def judged(truth, called):
    """Return predictions and labels of images, given the numbers of their classes."""
    ids = tuple(f"{i:03d}.png" for i in range(len(truth)))
    values = np.full((len(truth), 2), 0.2)
    values[np.arange(len(truth)), called] = 0.8
    labels = {id: NAMES[k] for id, k in zip(ids, truth, strict=True)}
    return ClassProbabilities(ids, NAMES, values), labels


def audit(truth, called, **more):
    predictions, labels = judged(truth, called)
    settings = {"classes": NAMES, "defects": ["worn"], "target": metric("macro_f1")} | more
    return evaluate_audit(predictions, labels, **settings)


@given(st.lists(st.integers(0, 1), max_size=40))
@settings(max_examples=30)
def test_there_is_a_figure_from_twenty_images_of_two_classes_on(truth):
    found = audit(truth, truth)
    enough = len(truth) >= LEAST_IMAGES and len(set(truth)) == 2
    assert (found["macro_f1"] is not None) == enough
    assert (too_few(found) is None) == enough
    assert (INTERVAL in found) == enough
    assert found["n"] == len(truth)
    if not enough:
        assert all(found[name] is None for name in metric_names())
        assert all(scores["recall"] is None for scores in found["per_class"].values())


def test_why_there_is_no_figure():
    assert too_few(audit([0, 1, 1], [0, 1, 1])) == "3 audit images: too few to say"
    assert too_few(audit([1], [1])) == "1 audit image: too few to say"
    assert too_few(audit([], [])) == "no audit image is labelled yet"
    assert too_few(audit([0] * 30, [0] * 30)) == "30 audit images, all of them ok: too few to say"
    assert too_few({"n": 2}, "monitor image") == "2 monitor images: too few to say"


def test_figures_are_those_of_evaluate():
    truth, called = [0, 1] * 15, [0, 1, 1] * 10
    predictions, labels = judged(truth, called)
    whole = evaluate(predictions, labels, classes=NAMES, defects=["worn"])
    found = audit(truth, called)
    low, high = found.pop(INTERVAL)
    assert found == whole
    assert 0 < low < found["macro_f1"] < high < 1


def test_withholding_twice_changes_nothing_more():
    found = evaluate(*judged([0, 1], [0, 1]), classes=NAMES)
    once = withheld(found | {"own": 0.5, "labels": 4, AUDIT: {}, INTERVAL: [0, 1]})
    assert AUDIT not in once
    assert INTERVAL not in once
    assert (once["own"], once["labels"], once["confusion"]) == (None, 4, [[1, 0], [0, 1]])
    assert withheld(once) == once


@pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
@pytest.mark.parametrize("errors", [0, 1, 7])
def test_an_interval_holds_its_value_and_has_a_width(one, errors):
    truth = np.arange(24) % 2
    called = truth.copy()
    called[:errors] = 1 - called[:errors]
    predictions, labels = judged(truth, called)
    outcomes = outcomes_of(predictions, labels, classes=NAMES, defects=["worn"])
    low, high = interval(one, outcomes)
    assert low <= one.of(outcomes) <= high
    assert high - low > 0.05 or one.name == "ece"


def test_no_error_in_twenty_is_as_likely_with_one_in_six():
    predictions, labels = judged([0, 1] * 10, [0, 1] * 10)
    low, high = interval(metric("accuracy"), outcomes_of(predictions, labels, classes=NAMES))
    assert high == 1
    assert low == pytest.approx(0.8316, abs=1e-4)  # scipy.stats.beta.ppf(.025, 20, 1)
