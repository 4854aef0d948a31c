"""Two processes set thresholds on the same sealed images at the same time."""

import subprocess
import sys

import pytest

from alvision.config.compose import compose
from alvision.core.rounds import claim
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.look_log import read
from alvision.deploy.train.labelled_data import import_truth
from alvision.run_folder.experiment_file import describe_run
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")

pytestmark = pytest.mark.slow

SEAL = ('defects=["worn"]', "audit.share=0.5")
ESCAPE = ("escape=0.2", "confidence=0.95")


def test_two_uses_at_once_are_both_logged_and_one_of_them_has_to_prove_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, _, config = grey.shop(tmp_path, 120)
    second = compose([f"data.root={tmp_path / 'parts'}", *SEAL, f"out={tmp_path / 'run-b'}"])
    described = describe_run(
        second.config, second.choices, "", classes=config.classes, anonymous=False
    )
    claim(tmp_path / "run-b", described)
    import_truth(second.config)
    runs = {"a": folder, "b": tmp_path / "run-b"}
    for cut, (name, run) in zip((0.5, 0.6), runs.items(), strict=True):
        grey.write(tmp_path / name, cut, run)
    started = [
        subprocess.Popen([sys.executable, "-m", "alvision", "threshold", f"bundle={name}", *ESCAPE])
        for name in runs
    ]
    assert [process.wait(180) for process in started] == [0, 0]
    found = [open_bundle(tmp_path / name).thresholds for name in runs]
    limits = sorted(found, key=lambda one: one.reading)
    assert [one.reading for one in limits] == [1, 2]
    assert [one.spent_confidence for one in limits] == [0.95, 0.975]
    uses = read(tmp_path / "parts.alvision" / "seal_readings.jsonl")
    assert [use.doubt for use in uses] == pytest.approx([0.05, 0.025])
    assert [len(read(run / "seal_readings.jsonl")) for run in runs.values()] == [1, 1]
