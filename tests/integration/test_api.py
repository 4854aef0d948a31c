"""From Python: the same files and the same errors as from the command line."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import alvision
from alvision.api import words
from alvision.cli import main
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.run_folder.load import load_run
from alvision.study import verdict
from tests.integration.conftest import TINY
from tests.support.parts import imported

SMALL = {"budget__initial": 20, "budget__batch": 5, "budget__rounds": 1, "trainer": "cpu"}


def test_settings_are_the_words_of_the_command_line():
    settings = {
        "acquisition": "bald",
        "data__root": "my parts/größe=1",
        "defects": None,
        "classes": ["ok", "true", "0"],
        "oracle__confusion": {"ok": {"worn": 0.1}},
        "trainer__class_weights": False,
        "name": "123",
    }
    assert words("digits", settings) == [
        "experiment=digits",
        "acquisition=bald",
        "data.root='my parts/größe=1'",
        "defects=null",
        "classes=[ok,'true','0']",
        "oracle.confusion={ok:{worn:0.1}}",
        "trainer.class_weights=false",
        "name='123'",
    ]
    config = alvision.Experiment(None, **settings).config
    assert config.data.root == "my parts/größe=1"
    assert (config.name, config.classes) == ("123", ["ok", "true", "0"])
    assert config.oracle.confusion == {"ok": {"worn": 0.1}}


def test_a_mistake_is_told_when_an_experiment_is_made():
    with pytest.raises(UserError, match=r"unknown key budget\.round; did you mean budget\.rounds"):
        alvision.Experiment("digits", budget__round=3)
    with pytest.raises(UserError, match="seed when it is made"):
        alvision.run(alvision.Experiment("digits"), seed=3)
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        alvision.runs  # noqa: B018


@pytest.mark.slow
def test_importing_the_package_imports_nothing_heavy():
    code = "import alvision, sys; print(sorted({'torch', 'hydra', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_run_is_that_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = alvision.run("digits", acquisition="bald", out="mine", **SMALL)
    command = ["budget.initial=20", "budget.batch=5", "budget.rounds=1", "trainer=cpu"]
    assert main(["run", "experiment=digits", "acquisition=bald", "out=theirs", *command]) == 0
    assert (tmp_path / "mine" / "metrics.csv").read_bytes() == (
        tmp_path / "theirs" / "metrics.csv"
    ).read_bytes()
    assert [row["answers"] for row in run.metrics] == list(run.curve["answers"]) == [20, 25]
    assert len(run.query(1).rows) == 5 and all(row.reason for row in run.query(1).rows)
    assert run.report.exists()
    run.report.unlink()
    assert alvision.report(run.folder) == run.report and run.report.exists()


@pytest.mark.slow
def test_a_comparison_has_its_verdict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["random_sampling", "margin"]
    found = alvision.compare("digits", acquisition=names, seeds=1, jobs=1, **SMALL)
    assert [row.acquisition for row in found.rows] == ["random_throughout", *names]
    assert found.study.folder.as_posix() == "runs/digits"
    assert verdict(found).startswith("Too few seeds to tell")


@pytest.mark.slow
def test_from_photographs_to_predictions(tmp_path, monkeypatch, parts):
    imported("onnxruntime")
    monkeypatch.chdir(tmp_path)
    tiny = [word.partition("=") for word in TINY if not word.startswith("budget")]
    settings = {key: yaml.safe_load(value) for key, _, value in tiny}
    photos = {"data": "folder", "data__root": "parts", "defects": ["worn"], **settings}
    assert alvision.check(**photos)
    final = alvision.train(out="model", **photos)
    assert (final / "model.ckpt").exists()
    bundle = alvision.export("model", bundle="b.bundle")
    assert (bundle / "model.onnx").exists()
    with pytest.raises(UserError, match="149 independent held-out defects"):
        alvision.threshold(bundle, escape=0.02, confidence=0.95)
    rows = alvision.predict(bundle, "parts", to="table.csv")
    assert len(rows) == 36
    with pytest.raises(UserError, match=r"\.csv"):
        alvision.predict(bundle, "parts", to="table.parquet")


WAYS = {
    "frozen": {},
    "a head of one's own": {"model__head": {"_target_": "torch.nn.Linear", "_partial_": True}},
    "finetuned": {"model__training": "finetune", "trainer__epochs": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_rounds_model_says_in_a_notebook_what_it_said_in_its_run(
    parts, tmp_path, monkeypatch, way
):
    monkeypatch.chdir(tmp_path)
    tiny = dict(word.split("=") for word in TINY)
    settings = {key: int(value) if value.isdigit() else value for key, value in tiny.items()}
    settings |= {"model.weights": None, "budget.rounds": 1, "trainer.precision": "32-true"}
    settings |= WAYS[way]
    run = alvision.run(data__root=str(parts), out="here", **settings)
    model = run.model(1)
    file = run.folder / "rounds" / "001" / "predictions.parquet"
    then = ClassProbabilities.read(file)
    paths = [parts / id for id in then.ids]
    now = model.predict(paths)
    assert model.classes == then.classes == ("ok", "worn") and model.fitted
    assert np.allclose(now.values, then.values, atol=1e-5)
    assert now.ids == tuple(map(str, paths))
    in_memory = model.predict([np.asarray(Image.open(path)) for path in paths])
    assert np.array_equal(in_memory.values, now.values) and in_memory.ids[:2] == ("0", "1")
    assert np.allclose(model.predict(paths[0]).values, now.values[:1], atol=1e-6)
    pixels = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths]))
    with torch.inference_mode():
        p = model.module(pixels).softmax(1)
    assert np.allclose(p.numpy(), then.values, atol=1e-4)
    with pytest.raises(UserError, match=r"no model of round 9; it has \[0, 1\]"):
        run.model(9)
    with pytest.raises(UserError, match="round '1': it must be a whole number"):
        run.model("1")
    with pytest.raises(UserError, match="no query of round 9; it has"):
        run.query(9)
    with pytest.raises(UserError, match="float64; uint8 expected"):
        model.predict([np.zeros((8, 8, 3))])
    with pytest.raises(UserError, match=r"nope\.png cannot be used"):
        model.predict(["nope.png"])
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="cannot be used"):
        model.predict("broken.png")


@pytest.mark.slow
def test_a_model_of_embeddings_takes_embeddings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = alvision.run("digits", out="here", **SMALL)
    model = run.model(1)
    then = ClassProbabilities.read(run.folder / "rounds" / "001" / "predictions.parquet")
    manifest = build(run_config(run.folder).data)
    rows = [manifest.row(id) for id in then.ids]
    assert np.allclose(model.predict(manifest.features[rows]).values, then.values, atol=1e-5)


def run_config(folder):
    return load_run(folder)[0]
