"""The counts, the curve and the changes around the image."""

import json

import numpy as np
import pytest

from alvision.data.set_aside import write_set_aside
from alvision.evaluation.metrics import metric
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page import counters
from alvision.page.progress import changed, point

IDS = [f"worn/{i:02d}.png" for i in range(12)]
NAMES = ("ok", "worn", "bent")


def predictions(called, ids=None):
    values = np.full((len(called), 3), 0.1, np.float32)
    values[np.arange(len(called)), called] = 0.8
    return ClassProbabilities(tuple(ids or (f"{i}.png" for i in range(len(called)))), NAMES, values)


def measured(folder, *, n=24, **figures):
    """Write what a round measured on its audit images, half of them of each class."""
    per_class = {"ok": {"support": n - n // 2}, "worn": {"support": n // 2}}
    metrics = {"labels": 40, "answers": 50, "n": n, "per_class": per_class, **figures}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_a_point_is_what_the_round_measured():
    row = {"labels": 40, "n": 24, "macro_f1": 0.75, "interval": [0.6, 0.9]}
    found = point(row, metric("macro_f1"))
    assert (found.labels, found.images, found.value) == (40, 24, 0.75)
    assert (found.low, found.high) == (0.6, 0.9)
    assert point(row, metric("accuracy")) is None
    del row["interval"]  # as earlier versions wrote it
    assert point(row, metric("macro_f1")).low is None


def test_the_page_shows_the_configured_metric_as_the_round_measured_it(make_page, ask):
    page = make_page(metric=metric("accuracy"))
    folder = measured(ask(IDS[0]), accuracy=0.625, macro_f1=0.5)
    predictions([0, 1], IDS[10:]).write(folder / "predictions.parquet")
    page.say(page.address(IDS[10]), "worn")  # a word that came later changes no round
    page.page.progress.update()
    state = page.state()
    assert (state["metric"], state["too_few"]) == ("accuracy", None)
    assert [(found["value"], found["images"]) for found in state["curve"]] == [(0.625, 24)]


@pytest.mark.parametrize("n, told", [(3, "3 audit images: too few to say"),
                                     (0, "no audit image is labelled yet")])  # fmt: skip
def test_too_few_audit_images_have_no_figure_whatever_the_file_says(page, ask, n, told):
    folder = measured(ask(IDS[0]), n=n, macro_f1=1.0, interval=[1.0, 1.0])
    predictions([0, 1], IDS[10:]).write(folder / "predictions.parquet")
    assert page.state()["too_few"] is None
    page.page.progress.update()
    state = page.state()
    assert (state["curve"], state["too_few"]) == ([], told)


def test_changes_are_named_with_both_calls():
    before, after = predictions([0, 1, 2]), predictions([0, 2, 2])
    assert changed(before, after) == [("1.png", "worn", "bent")]


def test_the_state_shows_changes_of_answered_audit_images_only(page, ask):
    for number, called in enumerate(([0, 0], [1, 1])):
        folder = ask(IDS[number], round=number)
        predictions(called, IDS[10:]).write(folder / "predictions.parquet")
        measured(folder, macro_f1=0.5)
    page.say(page.address(IDS[10]), "worn", seconds=3.0)
    page.page.progress.update()
    state = page.state()
    assert state["changed_count"] == 2
    assert state["changed"] == [{"item": page.address(IDS[10]), "before": "ok", "after": "worn"}]
    assert state["hours_left"] == round(11 * 3.0 / 3600, 2)


@pytest.mark.slow
def test_a_line_when_the_last_answers_of_a_class_were_all_predicted(page, ask, monkeypatch):
    monkeypatch.setattr("alvision.page.counters.STREAK", 3)
    ask(*IDS[:6], prediction="ok")
    for id, label in zip(IDS[:4], ("ok", "ok", "worn", "ok"), strict=True):
        assert page.state()["predicted"] == []
        page.say(page.address(id), label)
    assert page.state()["predicted"] == [{"name": "ok", "answers": counters.STREAK}]


def test_files_that_are_set_aside_and_dark_images_are_told(make_page, tmp_path):
    told = make_page().get("/api/state?by=anna").json()["notices"]
    assert told == []
    page = make_page(set_aside={"ok/gr\\udcfcn.png": "the name is not UTF-8"}, dark="they are dark")
    first, second = page.get("/api/state?by=anna").json()["notices"]
    assert first == "1 file is set aside: ok/gr\\udcfcn.png (the name is not UTF-8)"
    assert second == "they are dark"
    # The loop's process has read all files meanwhile.
    (tmp_path / "run").mkdir(exist_ok=True)
    write_set_aside(tmp_path / "run", {"worn/03.png": "broken: truncated"})
    page.page.state.run.refresh()
    first, _ = page.get("/api/state?by=anna").json()["notices"]
    assert first.startswith("2 files are set aside: ok/gr") and "worn/03.png (broken" in first
    write_set_aside(tmp_path / "run", {})
    page.page.state.run.refresh()
    assert make_page().get("/api/state?by=anna").json()["notices"] == []
