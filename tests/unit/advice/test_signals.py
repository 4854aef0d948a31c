"""What a round's predictions say beside their metrics, against plain formulas."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from alvision.advice.facts import Share, round_facts
from alvision.advice.signals import agreement, expected_error, gain, signals, uncertainty
from alvision.evaluation.metrics import metric
from alvision.evaluation.outcomes import outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities

CLASSES = ("ok", "worn")
IDS = tuple(f"{i}.png" for i in range(60))
TRUTH = {id: CLASSES[i % 2] for i, id in enumerate(IDS)}


def model(right, *, ids=IDS, sure=0.9):
    """Return predictions that are right on the first images and wrong on the others."""
    calls = [(i % 2) if i < right else 1 - i % 2 for i in range(len(ids))]
    values = [[sure, 1 - sure] if call == 0 else [1 - sure, sure] for call in calls]
    return ClassProbabilities(ids, CLASSES, np.array(values))


def outcomes(right):
    return outcomes_of(model(right), TRUTH, classes=CLASSES)


def test_agreement_is_cohens_kappa_of_the_images_that_both_have_seen():
    before, after = model(50), model(40, ids=IDS[:45])
    calls = [p.values.argmax(1)[:45] for p in (before, after)]
    assert agreement(before, after) == pytest.approx(cohen_kappa_score(*calls))


def test_agreement_is_unknown_where_there_is_nothing_to_agree_on():
    constant = ClassProbabilities(IDS, CLASSES, np.tile([0.9, 0.1], (60, 1)))
    assert agreement(constant, constant) is None
    assert agreement(model(60), model(60, ids=("other.png",))) is None


def test_uncertainty_and_expected_error_of_two_known_models():
    assert uncertainty(model(60, sure=1.0)) == 0
    assert uncertainty(model(60, sure=0.5)) == pytest.approx(1)
    assert expected_error(model(60, sure=0.9)) == pytest.approx(0.1)


def test_a_gain_is_paired_so_it_is_surer_than_two_intervals():
    value, low, high = gain(metric("accuracy"), outcomes(40), outcomes(52))
    assert value == pytest.approx(0.2)
    assert 0 < low < value < high < 0.35


def test_models_that_no_image_tells_apart_may_differ_on_others():
    value, low, high = gain(metric("accuracy"), outcomes(50), outcomes(50))
    assert value == 0
    assert high == -low == pytest.approx(1 - 0.025 ** (1 / 60))


def described(labels, earlier):
    return signals(model(52), labels, earlier, classes=CLASSES, metric=metric("macro_f1"))


def test_signals_are_plain_and_come_back_as_facts():
    found = described(TRUTH, [(60, model(50)), (40, model(30))])
    row = {"labels": 80, "answers": 85, "n": 60, "macro_f1": 0.9, "signals": found}
    facts = round_facts(row, metric="macro_f1")
    assert [one.labels for one in facts.gains] == [20, 40]
    assert facts.gains[1].low > 0
    assert facts.low < outcomes(52).confusion.trace() / 60 < facts.high
    assert facts.agreement == found["agreement"]


def test_with_few_labelled_images_only_what_needs_no_label_is_said():
    few = {id: TRUTH[id] for id in IDS[:9]}
    assert set(described(few, [(60, model(50))])) == {
        "agreement", "uncertainty", "expected_error"
    }  # fmt: skip


def test_where_nothing_is_held_out_there_are_no_signals():
    nothing = ClassProbabilities((), CLASSES, np.empty((0, 2)))
    found = signals(nothing, {}, [(9, nothing)], classes=CLASSES, metric=metric("macro_f1"))
    assert found == {}


def test_a_file_of_an_older_version_has_no_signals():
    facts = round_facts({"labels": 3, "answers": 4}, metric="macro_f1", defects=["worn"])
    assert (facts.gains, facts.value, facts.missed) == ((), None, None)


def test_missed_and_stopped_are_counted_in_the_confusion_table():
    row = {
        "labels": 3,
        "answers": 4,
        "macro_f1": 0.5,
        "per_class": {"ok": {}, "dent": {}, "worn": {}},
        "confusion": [[8, 1, 1], [2, 5, 3], [1, 2, 7]],
    }
    facts = round_facts(row, metric="macro_f1", defects=["dent", "worn"])
    assert (facts.missed.value, facts.missed.images) == (3 / 20, 20)
    assert (facts.stopped.value, facts.stopped.images) == (2 / 10, 10)


def test_missed_and_stopped_are_what_the_audit_says_where_people_answer():
    row = {
        "labels": 3,
        "answers": 4,
        "macro_f1": 0.5,
        "per_class": {"ok": {}, "worn": {}},
        "confusion": [[8, 2], [3, 7]],
        "audit": {"escape": {"rate": 0.25, "low": 0.03, "high": 0.7, "images": 8}},
    }
    facts = round_facts(row, metric="macro_f1", defects=["worn"])
    assert (facts.missed, facts.stopped) == (Share(0.25, 0.03, 0.7, 8), None)
