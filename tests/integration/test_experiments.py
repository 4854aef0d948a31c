"""Every shipped experiment runs, as it stands in configs/experiment."""

import csv

import pytest

from alvision import CONFIG_DIR
from alvision.cli import main
from alvision.data.sources import xsdd
from tests.conftest import paint
from tests.integration.project.test_scripts import script

EXPERIMENTS = sorted(path.stem for path in (CONFIG_DIR / "experiment").glob("*.yaml"))
NETWORK = ["model.backbone=timm:test_resnet", "model.weights=null", "data.image.size=32"]
MORE = {
    "digits": ["budget.initial=20"],
    "folder": [*NETWORK, "data.root=parts"],
    "repeated_digits": ["budget.initial=20"],
    "xsdd": [*NETWORK, "data.root=steel", "budget.initial=14"],
}


@pytest.fixture
def steel(tmp_path, monkeypatch):
    """A small X-SDD, listed by its script."""
    classes = {line.split("/")[0] for line in _listed_ids()}
    assert len(classes) == 7
    for name in sorted(classes):
        (tmp_path / "steel" / name).mkdir(parents=True)
        for i in range(6):
            paint(i + sum(map(ord, name)), name).save(tmp_path / "steel" / name / f"{i}.png")
    make = script("list_xsdd")
    monkeypatch.setattr(xsdd, "LIST", tmp_path / "list.csv")
    xsdd.LIST.write_text(make.table(make.listing(tmp_path / "steel")))


def _listed_ids():
    with xsdd.LIST.open(encoding="utf-8", newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_runs(name, tmp_path, monkeypatch, parts, steel):
    monkeypatch.chdir(tmp_path)
    small = ["budget.rounds=1", "budget.initial=6", "budget.batch=4", "trainer=cpu", "out=o"]
    words = [*small, *MORE.get(name, NETWORK)]
    assert main(["run", f"experiment={name}", *words]) == 0
    assert (tmp_path / "o" / "report.html").exists()
    with (tmp_path / "o" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    initial = int(words[-1].split("=")[1]) if words[-1].startswith("budget.initial") else 6
    known = 5 if name == "elpv_known" else 0
    assert [int(row["labels"]) for row in rows] == [max(initial, known), max(initial, known) + 4]
    assert [int(row["answers"]) for row in rows] == [initial - known, initial - known + 4]
    assert [bool(row["seconds"]) for row in rows] == [name == "elpv_cost"] * 2
