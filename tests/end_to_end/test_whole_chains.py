"""From labels to decisions on a bare computer: solar cells with a promise, steel without one."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from alvision.cli import main
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.look_log import read
from tests.conftest import paint
from tests.integration.deploy.test_chain import bad, table
from tests.support import PROJECT
from tests.support.parts import imported

pytestmark = pytest.mark.slow

MODEL = ["model.backbone=timm:test_resnet", "model.weights=null", "trainer.accelerator=cpu"]
PINS = PROJECT / "constraints.txt"


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """Return a Python that has onnxruntime, numpy and Pillow, and nothing else of ours."""
    if "ALVISION_ALL_PARTS" not in os.environ:
        return None  # nothing is installed on a contributor's machine unasked
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = ["onnxruntime", "numpy", "pillow"]
    install = [python, "-m", "pip", "install", "-q", "-c", PINS, *packages]
    subprocess.run(install, check=True, timeout=500)
    listed = subprocess.run(
        [python, "-c", "import torch"], capture_output=True, text=True, check=False
    )
    assert "No module named 'torch'" in listed.stderr
    return python


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Return a folder with a bundle for solar cells in two forms, and some of the pictures."""
    elpv = imported("elpv_dataset")
    for package in ("onnxruntime", "openvino"):
        imported(package)
    folder = tmp_path_factory.mktemp("cells")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        assert main(["train", "experiment=elpv", "out=run", "data.image.size=48", *MODEL]) == 0
        assert main(["export", "out=run", "bundle=b", "format=openvino"]) == 0
        images = sorted(Path(elpv.__file__).parent.rglob("*.png"))
        assert len(images) == 2624
        (folder / "incoming").mkdir()
        for path in images[::20]:
            shutil.copy(path, folder / "incoming")
        yield folder


def assert_alike(folder, python):
    """Predict a folder with alvision and with the bundle's own script."""
    assert main(["predict", "bundle=b", "images=incoming", "to=ours.csv"]) == 0
    command = [python or sys.executable, "-I", folder / "b" / "predict.py", "incoming", "own.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    ours, own = table(folder / "ours.csv"), table(folder / "own.csv")
    assert len(ours) == len(own) == len(list((folder / "incoming").iterdir()))
    for one, other in zip(ours, own, strict=True):
        for name in ("image", "class", "verdict"):
            assert one[name] == other[name]
        score = float(other["defect_score"])
        assert float(one["defect_score"]) == pytest.approx(score, abs=1e-4)
    return {row["verdict"] for row in ours}


def test_modules_of_solar_cells_are_too_few_for_a_promise(cells, capsys):
    told = bad(capsys, "threshold", "bundle=b", "escape=0.05")
    assert "needs 59 independent held-out defects" in told and "audit.share" in told
    found = int(told.split("there are ")[1].split(":")[0])
    assert 1 < found < 20
    assert read(cells / "run" / "seal_readings.jsonl") == []
    assert not (cells / "b" / "thresholds.json").exists()


def test_taken_for_independent_they_allow_one_and_a_bare_computer_decides_alike(
    cells, bare, capsys
):
    words = ["threshold", "bundle=b", "escape=0.05", "threshold.independent=true"]
    assert main(words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith("Catches at least 95 of 100 bad parts, 95 % sure")
    assert "each taken for independent of the others" in told
    assert open_bundle(cells / "b").thresholds.independent is True
    assert assert_alike(cells, bare) == {"pass", "reject"}
    assert main(["report", "bundle=b"]) == 0
    assert "Catches at least 95 of 100" in capsys.readouterr().out


def test_steel_has_no_good_class_and_so_no_promise(tmp_path, monkeypatch, bare, capsys):
    for package in ("onnxruntime", "openvino"):
        imported(package)
    monkeypatch.chdir(tmp_path)
    kinds = ("inclusion", "oxide", "scratch")
    for label in kinds:
        (tmp_path / "steel" / label).mkdir(parents=True)
        for i in range(40):
            paint(i + 100 * len(label), label).save(tmp_path / "steel" / label / f"{i}.png")
    (tmp_path / "incoming").mkdir()
    for i in range(30):
        paint(9000 + i, kinds[i % 3]).save(tmp_path / "incoming" / f"{i:02d}.png")
    every = f"defects=[{','.join(kinds)}]"
    train = ["train", "data.root=steel", every, "audit.share=0.4", "data.image.size=32"]
    assert main([*train, "out=run", *MODEL]) == 0
    assert main(["export", "out=run", "bundle=b", "format=openvino"]) == 0
    capsys.readouterr()
    assert "needs a class of good parts" in bad(capsys, "threshold", "bundle=b")
    assert_alike(tmp_path, bare)
    rows = table(tmp_path / "ours.csv")
    assert sum(row["class"] == kinds[int(row["image"][:2]) % 3] for row in rows) > 25
