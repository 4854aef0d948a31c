import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from alvision.core.errors import UserError
from alvision.evaluation.metrics import (
    METRICS,
    Metric,
    Outcomes,
    bootstrap,
    comparable,
    evaluate,
    metric,
    metric_names,
    outcomes_of,
)
from alvision.evaluation.metrics import expected_calibration_error as ece
from alvision.evaluation.probabilities import ClassProbabilities

CLASSES = ("ok", "worn", "torn")


def predict(values, classes=CLASSES):
    ids = tuple(f"{i}.png" for i in range(len(values)))
    return ClassProbabilities(ids, classes, np.array(values).reshape(len(values), len(classes)))


def label(names):
    return {f"{i}.png": name for i, name in enumerate(names) if name}


@settings(max_examples=40)
@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=40), st.integers(0, 99))
def test_agrees_with_scikit_learn(truth, seed):
    values = np.random.default_rng(seed).dirichlet(np.ones(3), len(truth)).astype(np.float32)
    found = evaluate(predict(values), label(truth), classes=CLASSES, defects=["worn", "torn"])
    called = [CLASSES[k] for k in values.argmax(axis=1)]
    present = sorted(set(truth))
    assert found["n"] == len(truth)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, called))
    recall = reference.recall_score(truth, called, labels=present, average="macro", zero_division=0)
    assert found["balanced_accuracy"] == pytest.approx(recall)
    f1 = reference.f1_score(truth, called, labels=present, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(f1)
    bad, called_bad = np.array(truth) != "ok", np.array(called) != "ok"
    if len(set(bad)) == 2:
        tn, fp, fn, tp = reference.confusion_matrix(bad, called_bad).ravel()
        assert found["escape_rate"] == pytest.approx(fn / (fn + tp))
        assert found["overkill_rate"] == pytest.approx(fp / (fp + tn))
    else:
        assert found["escape_rate"] is None
        assert found["overkill_rate"] is None


def test_golden_values_by_hand():
    values = [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0.3, 0.7, 0], [0.5, 0.2, 0.3]]
    truth = ["ok", "worn", "worn", "worn", "ok"]
    found = evaluate(predict(values), label(truth), classes=CLASSES, defects=["worn"])
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert found["balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["macro_f1"] == pytest.approx((0.8 + 0.8) / 2)
    # Of ok .9 .6 .5: the first and third are ok; of worn .8 .7 .4: all are.
    assert found["average_precision"] == pytest.approx(((1 / 2 + 1 / 3) + 1) / 2)
    assert found["ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.3 + 0.5) / 5)
    assert found["escape_rate"] == pytest.approx(1 / 3)
    assert found["overkill_rate"] == 0
    assert found["per_class"]["worn"] == {
        "support": 3,
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
    }
    assert found["per_class"]["torn"] == {
        "support": 0,
        "precision": None,
        "recall": None,
        "f1": None,
    }
    assert found["confusion"] == [[2, 0, 0], [1, 2, 0], [0, 0, 0]]


def test_a_class_that_nobody_labelled_counts_neither_way():
    found = evaluate(predict([[0.1, 0, 0.9], [0.8, 0.2, 0]]), label(["ok", "ok"]), classes=CLASSES)
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == 0.5
    assert found["average_precision"] is None
    assert found["per_class"]["torn"]["precision"] == 0


def test_with_two_classes_average_precision_is_that_of_the_defect_probability():
    defect = np.array([0.1, 0.4, 0.35, 0.8])
    values, truth = np.stack([1 - defect, defect], axis=1), ["ok", "ok", "worn", "worn"]
    both = ("ok", "worn")
    found = evaluate(predict(values, both), label(truth), classes=both, defects=["worn"])
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    without = evaluate(predict(values, both), label(truth), classes=both)
    ok = reference.average_precision_score([1, 1, 0, 0], 1 - defect)
    assert without["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + ok) / 2)


def test_rates_need_defects_and_both_kinds():
    two = predict([[0.9, 0.1, 0], [0.2, 0.8, 0]])
    assert evaluate(two, label(["ok", "worn"]), classes=CLASSES)["escape_rate"] is None
    all_bad = evaluate(two, label(["worn", "worn"]), classes=CLASSES, defects=["worn"])
    assert (all_bad["escape_rate"], all_bad["overkill_rate"]) == (None, None)
    # One defect taken for another is no escape.
    swapped = evaluate(two, label(["ok", "torn"]), classes=CLASSES, defects=["worn", "torn"])
    assert (swapped["escape_rate"], swapped["accuracy"]) == (0, 0.5)


def test_images_without_a_label_or_a_prediction_are_left_out():
    two = predict([[0.9, 0.1, 0], [0.2, 0.8, 0]])
    found = evaluate(two, {"0.png": "ok", "elsewhere.png": "worn"}, classes=CLASSES)
    assert (found["n"], found["accuracy"]) == (1, 1)


@pytest.mark.parametrize("values", [[], [[0.9, 0.1, 0]]])
def test_nothing_known_is_blank(values):
    found = evaluate(predict(values), {}, classes=CLASSES, defects=["worn"])
    assert found["n"] == 0
    assert all(found[name] is None for name in metric_names())
    assert found["per_class"].keys() == set(CLASSES)


def test_a_class_that_the_model_does_not_know_has_probability_0():
    old = ClassProbabilities(("0.png", "1.png"), ("worn", "ok"), np.array([[0.9, 0.1], [0.2, 0.8]]))
    found = evaluate(old, label(["worn", "torn"]), classes=CLASSES)
    assert found["accuracy"] == 0.5
    assert found["per_class"]["torn"]["recall"] == 0


def test_unknown_names_are_told():
    one = predict([[1, 0, 0]])
    with pytest.raises(UserError, match="labels use bent, but classes are ok, worn, torn"):
        evaluate(one, label(["bent"]), classes=CLASSES)
    with pytest.raises(UserError, match="defects name bent"):
        evaluate(one, label(["ok"]), classes=CLASSES, defects=["bent"])


def test_the_result_is_plain_json():
    found = evaluate(predict([[0.9, 0.1, 0]] * 3), label(["ok", "worn", "ok"]), classes=CLASSES)
    assert json.loads(json.dumps(found)) == found
    assert set(metric_names()) < found.keys()


def test_calibration_error_compares_confidence_with_accuracy_in_bins():
    assert ece(np.ones(4), np.zeros(4)) == 1
    # Two bins: .5 (half right) and .95 (all right).
    confidence, correct = np.array([0.5, 0.5, 0.95, 0.95]), np.array([1, 0, 1, 1])
    assert ece(confidence, correct) == pytest.approx(0.025)
    # In one bin, errors of both signs cancel; in fifteen they do not.
    assert ece(np.array([0.4, 0.8]), np.array([0.8, 0.4]), bins=1) == pytest.approx(0)
    assert ece(np.array([0.4, 0.8]), np.array([0.8, 0.4])) == pytest.approx(0.4)


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(0, 99))
def test_calibration_error_agrees_with_a_plain_loop(n, seed):
    rng = np.random.default_rng(seed)
    confidence, correct = rng.random(n), rng.random(n) < 0.5
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert ece(confidence, correct) == pytest.approx(expected)


def test_a_metric_is_one_object():
    assert metric("macro_f1").title == "macro-F1"
    assert comparable() == ("accuracy", "balanced_accuracy", "macro_f1", "average_precision")
    assert [one.name for one in METRICS if one.needs_defects] == ["escape_rate", "overkill_rate"]
    with pytest.raises(UserError, match="foo is no metric; choose one of accuracy, balanced_"):
        metric("foo")


def test_a_metric_of_ones_own_stands_beside_the_others():
    def worst_recall(outcomes: Outcomes) -> float:
        hit = outcomes.truth == outcomes.called
        return min(hit[outcomes.truth == k].mean() for k in np.unique(outcomes.truth))

    own = Metric("worst_recall", "worst recall", worst_recall, higher_is_better=True)
    three = predict([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]])
    truth = label(["ok", "worn", "worn"])
    found = evaluate(three, truth, classes=CLASSES, metrics=[*METRICS, own])
    assert (found["accuracy"], found["worst_recall"]) == (pytest.approx(2 / 3), 0.5)
    assert json.loads(json.dumps(found)) == found


def test_a_recorded_metric_has_no_function():
    recorded = Metric("odd", "odd", None, higher_is_better=True)
    with pytest.raises(ValueError, match="odd was recorded"):
        recorded.of(outcomes_of(predict([[1, 0, 0]]), label(["ok"]), classes=CLASSES))


@pytest.mark.parametrize("name", metric_names())
@pytest.mark.parametrize("labelled", ["all classes", "two classes"])
def test_the_bootstrap_is_the_metric_of_each_resample(name, labelled):
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.ones(3), 30).round(1)  # with ties
    truth = rng.choice(CLASSES if labelled == "all classes" else CLASSES[:2], 30)
    whole = outcomes_of(predict(values), label(truth), classes=CLASSES, defects=["worn"])
    draws = rng.integers(0, 30, (20, 30))
    found = bootstrap(metric(name), whole, draws)
    expected = [metric(name).of(whole.take(rows)) for rows in draws]
    assert found == pytest.approx([np.nan if x is None else x for x in expected], nan_ok=True)


def test_a_bootstrap_says_nan_where_a_resample_knows_no_value():
    two = outcomes_of(
        predict([[0.9, 0.1, 0], [0.2, 0.8, 0]]),
        label(["ok", "worn"]), classes=CLASSES, defects=["worn"],
    )  # fmt: skip
    found = bootstrap(metric("escape_rate"), two, np.array([[0, 0], [0, 1]]))
    assert np.isnan(found[0])
    assert found[1] == 0
