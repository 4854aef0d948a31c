"""`alvision predict` and a bundle's own predict.py decide alike, on a real network."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from alvision.cli import main
from alvision.data.images import load
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.predict_script import script
from alvision.deploy.bundle.thresholds import Thresholds
from alvision.deploy.bundle.verdict import NO_NUMBERS
from alvision.deploy.threshold.cutoffs import just_below
from alvision.deploy.threshold.scored_images import ROUNDING
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def alone(folder, images, result):
    """Run a bundle's predict.py; return its status and its rows."""
    words = [sys.executable, folder / "predict.py", images, result]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, rows(result)


@pytest.fixture
def parts(tmp_path):
    return grey.shades(tmp_path / "parts", 3, 40)


def test_a_network_that_gives_no_numbers_passes_nothing(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = grey.write(tmp_path / "b", float("nan"), "run")
    (bundle.folder / "predict.py").write_text(script(), encoding="utf-8")
    assert main(["predict", "bundle=b", "images=parts", "to=p.csv"]) == 1
    status, by_script = alone(bundle.folder, parts, tmp_path / "q.csv")
    assert status == 1
    for row in (*rows(tmp_path / "p.csv"), *by_script):
        assert row["verdict"] == "" and row["reason"] == NO_NUMBERS


def test_the_defect_that_sets_the_threshold_is_stopped_everywhere(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = grey.write(tmp_path / "b", 0.7, "run")
    pixels = np.stack([load(path, bundle.spec) for path in sorted((parts / "worn").iterdir())])
    alone_scores = [bundle.defect_scores(bundle.run(one[None]).logits)[0] for one in pixels]
    number = int(np.argsort(alone_scores)[4])
    low = just_below(float(alone_scores[number]), slack=0.01)
    bundle = grey.write(tmp_path / "c", 0.7, "run", promise=Thresholds(low, low))
    for threads in (1, 2):
        decided = bundle.decide(bundle.run(pixels, threads=threads))
        assert decided[number].verdict == "reject"
        assert sum(one.verdict == "pass" for one in decided) == 4
    (bundle.folder / "predict.py").write_text(script(), encoding="utf-8")
    assert main(["predict", "bundle=c", "images=parts/worn", "to=p.csv"]) == 0
    _, by_script = alone(bundle.folder, parts / "worn", tmp_path / "q.csv")
    for table in (rows(tmp_path / "p.csv"), by_script):
        assert table[number]["verdict"] == "reject"
        assert sum(row["verdict"] == "pass" for row in table) == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_moves_a_score_by_less_than_the_slack_of_the_threshold(small_bundle, threads):
    bundle = open_bundle(small_bundle)
    size = bundle.spec.size
    pixels = np.random.default_rng(0).integers(0, 256, (64, size, size, 3), np.uint8)
    logits = [bundle.run(one[None]).logits for one in pixels]
    slack = 2 * ROUNDING * max(1.0, *(abs(own).max() for own in logits))
    cuts = [
        just_below(bundle.defect_scores(own)[0], slack=slack / bundle.manifest.temperature)
        for own in logits
    ]
    for batch in (1, 7, 32):
        for start in range(0, 64, batch):
            output = bundle.run(pixels[start : start + batch], threads=threads)
            scores = bundle.defect_scores(output.logits)
            assert (scores >= cuts[start : start + batch]).all()
