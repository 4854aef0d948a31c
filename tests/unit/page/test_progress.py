"""The counts, the curve and the changes around the image."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page import counters
from alvision.page.progress import changed, point

IDS = [f"worn/{i:02d}.png" for i in range(12)]
NAMES = ("ok", "worn", "bent")


def predictions(called, ids=None):
    values = np.full((len(called), 3), 0.1, np.float32)
    values[np.arange(len(called)), called] = 0.8
    return ClassProbabilities(tuple(ids or (f"{i}.png" for i in range(len(called)))), NAMES, values)


def test_the_curve_is_macro_f1_with_its_band(tmp_path):
    rng = np.random.default_rng(3)
    truth, called = rng.integers(0, 2, 60), rng.integers(0, 3, 60)
    predictions(called).write(tmp_path / "predictions.parquet")
    (tmp_path / "metrics.json").write_text(json.dumps({"labels": 40}))
    labels = {f"{i}.png": NAMES[k] for i, k in enumerate(truth)}
    found = point(tmp_path, labels)
    expected = f1_score(truth, called, labels=[0, 1], average="macro")
    assert found.value == pytest.approx(expected)
    assert found.labels == 40
    assert 0 < found.low < found.value < found.high < 1
    assert point(tmp_path, {"0.png": "ok"}) is None


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
