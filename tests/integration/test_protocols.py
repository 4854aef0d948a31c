"""What the protocols change in a run: known defects, thinned pools, people who err, seconds."""

import csv
import json

import pytest

from alvision.cli import main
from alvision.labels.store import LabelStore

WORDS = [
    "run", "data.root=parts", "out=o", "model.backbone=timm:test_resnet", "trainer=cpu",
    "model.weights=null", "data.image.size=32", "defects=[worn]", "audit.share=0.3",
    "budget.initial=8", "budget.batch=4", "budget.rounds=1", "trainer.head_steps=5",
]  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch, parts):
    """Return a function that runs with more words: (rows of metrics.csv, events)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        assert main([*WORDS, *words]) == 0
        with (tmp_path / "o" / "metrics.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with LabelStore(tmp_path / "o" / "labels.db") as store:
            return rows, store.events()

    return call


@pytest.mark.slow
def test_known_defects_start_a_run_and_cost_nothing(run):
    words = ["cold_start.known_defects=3", "cold_start=similar_to_defects", "data.defect_share=0.1"]
    rows, events = run(*words)
    assert [(row["labels"], row["answers"]) for row in rows] == [("8", "5"), ("12", "9")]
    known, asked = events[:3], events[3:]
    assert {(event.kind, event.label) for event in known} == {("import", "worn")}
    assert {event.kind for event in asked} == {"label"}
    assert not {event.id for event in known} & {event.id for event in asked}
    assert run(*words) == (rows, events), "the same command again changes nothing"


@pytest.mark.slow
def test_a_person_who_errs_and_takes_time(run, tmp_path):
    confusion = "oracle.confusion={worn:{ok:1},ok:{worn:1}}"
    rows, events = run(confusion, "oracle.seconds={ok:2,worn:8}")
    for event in events:
        assert event.label == ("worn" if event.id.startswith("ok/") else "ok")
        assert event.seconds == (8 if event.label == "worn" else 2)
    spent = [sum(e.seconds for e in events if e.round <= k) for k in (0, 1)]
    assert [float(row["seconds"]) for row in rows] == spent
    judged = json.loads((tmp_path / "o" / "rounds" / "001" / "metrics.json").read_text())
    support = {name: scores["support"] for name, scores in judged["per_class"].items()}
    assert support == {"ok": 8, "worn": 4}, "the held-out part keeps its truth"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cold_start.known_defects=30"], "known_defects=30, but the pool has"),
        (["cold_start=similar_to_defects"], r"cold_start.known_defects=5"),
        (["oracle.graded=true"], "graded opinions"),
        (["oracle.seconds={ok:2}"], "oracle.seconds="),
        (["oracle.confusion={ok:{rust:0.1}}"], "'rust'"),
    ],
)
@pytest.mark.slow
def test_what_does_not_fit_the_data_is_one_line(words, told, tmp_path, monkeypatch, capsys, parts):
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "o" / "experiment.yaml").exists()


@pytest.mark.slow
def test_weighed_labels_train_another_model_and_the_same_one_again(run, tmp_path):
    steps = "trainer.head_steps=40"
    _, events = run(steps, "labels.noise=weigh")
    folder = tmp_path / "o"
    last = folder / "rounds" / "001"
    made = {name: (last / name).read_bytes() for name in ("model.ckpt", "predictions.parquet")}
    for name in (*made, "metrics.json"):  # as after a kill
        (last / name).unlink()
    run(steps, "labels.noise=weigh")
    assert made == {name: (last / name).read_bytes() for name in made}
    folder.rename(tmp_path / "weighed")
    _, plain = run(steps)
    assert [(e.id, e.label) for e in plain[:8]] == [(e.id, e.label) for e in events[:8]]
    first = [base / "rounds" / "000" / "model.ckpt" for base in (folder, tmp_path / "weighed")]
    assert first[0].read_bytes() != first[1].read_bytes()
