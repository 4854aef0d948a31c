"""What choosing saves, by images drawn at random: which labels are compared, and how."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.advice.control import DRAWS, due, equally_many, labels_saved, saving
from alvision.evaluation.metrics import metric
from alvision.evaluation.probabilities import ClassProbabilities

CLASSES = ("ok", "worn")
IDS = tuple(f"{i}.png" for i in range(60))
TRUTH = {id: CLASSES[i % 2] for i, id in enumerate(IDS)}


@given(st.floats(0, 0.99), st.integers(1, 50), st.integers(1, 20))
def test_the_control_images_of_all_rounds_keep_to_the_share(share, batch, rounds):
    drawn = [due(share, batch, k) for k in range(1, rounds + 1)]
    assert sum(drawn) == int(share * batch * rounds + 1e-9)
    assert all(0 <= count <= batch for count in drawn)


ROWS = {
    0: [("a", "cold_start"), ("b", "cold_start")],
    1: [("c", "acquisition"), ("d", "acquisition"), ("e", "control"), ("x", "audit")],
    2: [("f", "acquisition"), ("g", "acquisition")],
    3: [("h", "acquisition"), ("i", "acquisition"), ("j", "control"), ("k", "control")],
}
KNOWN = dict.fromkeys("abcdefghi", "ok") | {"j": "worn", "imported": "ok"}


def test_as_many_chosen_labels_are_taken_from_the_same_rounds():
    control, chosen = equally_many(ROWS, KNOWN, lambda draw, id: (id, draw))
    assert set(control) == {"a", "b", "imported", "e", "j"}  # k has no answer
    assert len(chosen) == DRAWS
    assert set(chosen[0]) == {"a", "b", "imported", "c", "h"}
    assert {len(own) for own in chosen} == {len(control)}


def model(right):
    calls = [(i % 2) if i < right else 1 - i % 2 for i in range(len(IDS))]
    return ClassProbabilities(IDS, CLASSES, np.eye(2)[calls])


def compared(random, chosen):
    return saving(
        model(random), [model(n) for n in chosen], TRUTH, classes=CLASSES, metric=metric("accuracy")
    )


def test_saving_is_the_mean_difference_and_its_interval_is_paired():
    found = compared(30, [42, 48])
    assert found["value"] == pytest.approx(0.25)
    assert 0 < found["low"] < 0.25 < found["high"]


def test_saving_is_below_zero_where_choosing_loses():
    assert compared(54, [30, 30])["high"] < 0


def test_without_a_labelled_image_it_is_not_known():
    assert saving(model(3), [model(3)], {}, classes=CLASSES, metric=metric("macro_f1")) is None


def saved(first, random, chosen, count=20):
    models = [model(first), model(random), [model(n) for n in chosen]]
    return labels_saved(*models, count, TRUTH, classes=CLASSES, metric=metric("accuracy"))


def test_labels_saved_are_the_chosen_ones_that_were_not_needed():
    found = saved(30, 40, [50, 50])  # half of the rise would have been enough
    assert found["value"] == pytest.approx(10)
    assert 0 < found["low"] < 10 < found["high"] <= 20
    assert saved(30, 50, [40])["value"] == pytest.approx(-10)


@given(st.lists(st.integers(0, 60), min_size=3, max_size=3), st.integers(1, 50))
def test_no_more_labels_are_saved_than_were_compared(right, count):
    found = saved(right[0], right[1], right[2:], count)
    assert -count <= found["low"] <= found["value"] <= found["high"] <= count
    assert (found["value"] > 0) == (right[2] > right[1])
