"""The counts, the curve and the changes around the image."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from alvision.evaluation.metrics import evaluate, metric, metric_names
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page import counters
from alvision.page.progress import changed, point

IDS = [f"worn/{i:02d}.png" for i in range(12)]
NAMES = ("ok", "worn", "bent")


def here(id, sha256):
    return id


def predictions(called, ids=None):
    values = np.full((len(called), 3), 0.1, np.float32)
    values[np.arange(len(called)), called] = 0.8
    return ClassProbabilities(tuple(ids or (f"{i}.png" for i in range(len(called)))), NAMES, values)


@pytest.fixture
def round_folder(tmp_path):
    """Write a round whose 60 predictions are wrong at random; return its folder and the labels."""
    rng = np.random.default_rng(3)
    truth, called = rng.integers(0, 2, 60), rng.integers(0, 3, 60)
    predictions(called).write(tmp_path / "predictions.parquet")
    (tmp_path / "metrics.json").write_text(json.dumps({"labels": 40}))
    return tmp_path, {f"{i}.png": NAMES[k] for i, k in enumerate(truth)}, truth, called


def test_the_curve_is_macro_f1_with_its_interval(round_folder):
    folder, labels, truth, called = round_folder
    found = point(folder, labels, metric=metric("macro_f1"), defects=(), locate=here)
    expected = f1_score(truth, called, labels=[0, 1], average="macro")
    assert found.value == pytest.approx(expected)
    assert found.labels == 40
    assert 0 < found.low < found.value < found.high < 1
    assert (
        point(folder, {"0.png": "ok"}, metric=metric("macro_f1"), defects=(), locate=here) is None
    )


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_has_a_point_with_an_interval(round_folder, name):
    folder, labels, *_ = round_folder
    found = point(folder, labels, metric=metric(name), defects={"worn", "bent"}, locate=here)
    assert found.low <= found.value <= found.high
    values = evaluate(
        ClassProbabilities.read(folder / "predictions.parquet"),
        labels,
        classes=NAMES,
        defects=["worn", "bent"],
    )
    assert found.value == pytest.approx(values[name])


def test_without_defects_the_escape_rate_has_no_point(round_folder):
    folder, labels, *_ = round_folder
    assert point(folder, labels, metric=metric("escape_rate"), defects=(), locate=here) is None


def test_a_class_that_the_model_does_not_know_yet_counts_as_missed(round_folder):
    folder, labels, *_ = round_folder
    before = point(folder, labels, metric=metric("accuracy"), defects=(), locate=here)
    after = point(
        folder, labels | {"0.png": "new"}, metric=metric("accuracy"), defects=(), locate=here
    )
    assert after.value <= before.value


def test_the_page_shows_the_configured_metric(make_page, ask):
    page = make_page(metric=metric("accuracy"))
    folder = ask(IDS[0])
    predictions([0, 1], IDS[10:]).write(folder / "predictions.parquet")
    (folder / "metrics.json").write_text(json.dumps({"labels": 4}))
    page.say(page.address(IDS[10]), "ok")
    page.say(page.address(IDS[11]), "ok")
    page.page.progress.update()
    state = page.state()
    assert state["metric"] == "accuracy"
    assert [found["value"] for found in state["curve"]] == [0.5]


def test_changes_are_named_with_both_calls():
    before, after = predictions([0, 1, 2]), predictions([0, 2, 2])
    assert changed(before, after) == [("1.png", "worn", "bent")]


def test_the_state_shows_changes_of_answered_audit_images_only(page, ask):
    for number, called in enumerate(([0, 0], [1, 1])):
        folder = ask(IDS[number], round=number)
        predictions(called, IDS[10:]).write(folder / "predictions.parquet")
        (folder / "metrics.json").write_text(json.dumps({"labels": 4 + number}))
    page.say(page.address(IDS[10]), "worn", seconds=3.0)
    page.page.progress.update()
    state = page.state()
    assert state["changed_count"] == 2
    assert state["changed"] == [{"item": page.address(IDS[10]), "before": "ok", "after": "worn"}]
    assert state["curve"] == []
    assert state["hours_left"] == round(11 * 3.0 / 3600, 2)
    page.say(page.address(IDS[11]), "ok")
    page.page.progress.update()
    assert [one["labels"] for one in page.state()["curve"]] == [4, 5]


@pytest.mark.slow
def test_a_line_when_the_last_answers_of_a_class_were_all_predicted(page, ask, monkeypatch):
    monkeypatch.setattr("alvision.page.counters.STREAK", 3)
    ask(*IDS[:6], prediction="ok")
    for id, label in zip(IDS[:4], ("ok", "ok", "worn", "ok"), strict=True):
        assert page.state()["predicted"] == []
        page.say(page.address(id), label)
    assert page.state()["predicted"] == [{"name": "ok", "answers": counters.STREAK}]
