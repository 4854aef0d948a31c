"""Every shipped experiment runs, as it stands in configs/experiment."""

import pytest

from alvision import CONFIG_DIR
from alvision.cli import main

SMALL = {
    "elpv": [
        "model.backbone=timm:test_resnet",
        "model.weights=null",
        "data.image.size=32",
        "budget.rounds=1",
    ],
    "folder": ["data.root=parts", "model.backbone=timm:test_resnet", "model.weights=null"],
}


def test_every_experiment_is_exercised():
    assert {path.stem for path in (CONFIG_DIR / "experiment").glob("*.yaml")} == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_runs(name, tmp_path, monkeypatch, parts):
    monkeypatch.chdir(tmp_path)
    small = ["budget.rounds=1", "budget.initial=6", "budget.batch=4", "data.image.size=32"]
    assert main(["run", f"experiment={name}", *SMALL[name], *small, "out=o", "trainer=cpu"]) == 0
    assert (tmp_path / "o" / "report.html").exists()
