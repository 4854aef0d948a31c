"""Large photographs with one small defect: the whole chain in tiles, and every form alike."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from alvision.cli import main
from alvision.data.images import load
from alvision.deploy.bundle.bundle import open_bundle
from alvision.training import trained
from tests.support.parts import imported

pytestmark = pytest.mark.slow

MODEL = ["model.backbone=timm:test_resnet", "model.weights=null", "trainer=cpu", "model.passes=4"]
READ = ["data.image.size=32", "data.image.tiles=auto", "model.features=multilevel"]
LABELS = ["budget.initial=30", "budget.batch=4", "budget.rounds=0", "cold_start=random"]
DATA = ["data=class_folders", "data.root=parts", "defects=[worn]", "seed=1"]


def photograph(seed, worn):
    """Return a photograph of 160 x 96 pixels; a worn one has a mark of 6 x 2."""
    rng = np.random.default_rng([seed, worn])
    pixels = rng.normal(rng.uniform(90, 150), 6, (96, 160))
    top, left = rng.integers(4, 84), rng.integers(4, 150)
    if worn:
        pixels[top : top + 2, left : left + 6] += 70
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), (top, left)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with photographs of two sizes, a run, its final model and a bundle."""
    imported("onnxruntime")
    folder = tmp_path_factory.mktemp("tiles")
    for label in ("ok", "worn"):
        (folder / "parts" / label).mkdir(parents=True)
        for i in range(40):
            image, _ = photograph(i, label == "worn")
            image.save(folder / "parts" / label / f"{i:03d}.png")
    photograph(99, False)[0].crop((0, 0, 100, 96)).save(folder / "parts" / "ok" / "narrow.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        assert main(["run", *DATA, *MODEL, *READ, *LABELS, "out=run"]) == 0
        assert main(["train", "out=run"]) == 0
        assert main(["export", "out=run", "bundle=b"]) == 0
        yield folder


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_mark_of_a_few_pixels_is_learned(place):
    metrics = json.loads((place / "run" / "rounds" / "000" / "metrics.json").read_text())
    assert metrics["macro_f1"] > 0.85


def test_predict_the_script_and_watch_say_the_same(place):
    inbox = place / "inbox"
    inbox.mkdir()
    for i in range(4):
        photograph(500 + i, i % 2)[0].save(inbox / f"{i}.png")
    assert main(["predict", "bundle=b", "images=inbox", "to=p.csv"]) == 0
    words = [sys.executable, "-I", place / "b" / "predict.py", inbox, place / "s.csv"]
    subprocess.run(words, check=True)
    ours, alone = table(place / "p.csv"), table(place / "s.csv")
    assert [row["class"] for row in ours] == ["ok", "worn", "ok", "worn"]
    for one, other in zip(ours, alone, strict=True):
        assert one["class"] == other["class"] and one["verdict"] == other["verdict"]
        assert float(one["defect_score"]) == pytest.approx(float(other["defect_score"]), abs=1e-6)
    assert main(["watch", "bundle=b", "images=inbox", "to=line", "once=true"]) == 0
    assert sorted(path.name for path in (place / "line").glob("*/[13].png")) == ["1.png", "3.png"]
    assert not list((place / "line" / "pass").glob("[13].png"))


def test_the_heat_lies_on_the_mark(place):
    bundle = open_bundle(place / "b")
    column = bundle.classes.index("worn")
    found = 0
    for seed in range(700, 710):
        image, (top, left) = photograph(seed, True)
        image.save(place / "one.png")
        pixels = load(place / "one.png", bundle.spec)
        heat = bundle.run(pixels[None]).maps[0, column]
        assert heat.shape == pixels.shape[:2] == (4, 6)
        row, along = np.unravel_index(heat.argmax(), heat.shape)
        # Where this tile begins, of tiles that lie evenly from edge to edge.
        begin = row * (96 - 32) / 3, along * (160 - 32) / 5
        found += begin[0] - 6 <= top <= begin[0] + 36 and begin[1] - 6 <= left <= begin[1] + 36
    assert found >= 8


def test_a_notebook_gets_the_runs_own_numbers(place):
    model = trained.load(place / "run", 0)
    path = place / "parts" / "worn" / "001.png"
    said = model.predict(path).values
    pixels = torch.from_numpy(load(path, model.spec))[None]
    with torch.inference_mode():
        assert np.allclose(model.module(pixels).softmax(1), said, atol=0.02)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model.training=finetune"], "with data.image.tiles set model.training=frozen"),
        (["data.image.size=300"], "a tile of 300 x 300 pixels is larger than the photographs"),
        (["data.image.tiles=none"], "data.image.tiles=none must be auto"),
    ],
)
def test_bad_input_is_one_line(place, capsys, words, line):
    capsys.readouterr()
    assert main(["run", *DATA, *MODEL, *READ, *LABELS, "out=other", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and line in said


def test_a_bundle_has_one_form(place, capsys):
    assert main(["export", "out=run", "bundle=c", "format=torch"]) == 2
    assert "format=torch has no form for data.image.tiles yet" in capsys.readouterr().err
    assert not (place / "c").exists()


def test_the_data_are_checked_in_tiles(place, capsys):
    assert main(["check", *DATA, *READ, "out=checked"]) in (0, 1)
    said = capsys.readouterr()
    assert "stretched" not in said.out and not said.err
