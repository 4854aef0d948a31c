"""Folders of the first layout open, resume and go on; see tests/fixtures/README.md."""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from alvision.cli import main
from alvision.labels.consensus import consensus
from alvision.labels.store import LabelStore
from tests.conftest import paint
from tests.support import PROJECT
from tests.support.parts import imported

pytestmark = pytest.mark.slow

OLD = PROJECT / "tests" / "fixtures" / "version_0_1_0.tar.xz"
TINY = [
    "model.backbone=timm:test_resnet",
    "model.weights=weights.pt",
    "data.image.size=32",
    "trainer=cpu",
    "trainer.head_steps=20",
    "model.passes=4",
    "budget.initial=6",
    "budget.batch=4",
    "cold_start.per_class=0",
]
PEOPLE = [
    "data=folder",
    "data.root=flat",
    "oracle=files",
    "classes=[ok,worn,scratch,dent]",
    "defects=[worn,scratch,dent]",
    "data.label_column=null",
]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(unpacked, tmp_path, monkeypatch):
    folder = shutil.copytree(unpacked, tmp_path / "old")
    monkeypatch.chdir(folder)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_simulated_run_with_the_cold_start_of_then_is_refused_in_one_line(old, capsys):
    words = ["data=class_folders", "data.root=parts", "defects=[worn]", "acquisition=bald"]
    assert main(["run", *words, "out=simulated", *TINY, "budget.rounds=3"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "cold_start" in told and "random_sampling" in told


def test_a_simulated_run_resumes_and_keeps_its_rounds(old):
    before = {p: p.read_bytes() for p in (old / "simulated").rglob("rounds/*/*") if p.is_file()}
    words = ["data=class_folders", "data.root=parts", "defects=[worn]", "acquisition=bald"]
    words += ["cold_start=random"]  # what was the default when the run began
    assert main(["run", *words, "out=simulated", *TINY, "budget.rounds=3"]) == 0
    assert {p: p.read_bytes() for p in before} == before
    assert len(rows(old / "simulated" / "metrics.csv")) == 4
    assert main(["report", "out=simulated"]) == 0


def test_a_run_with_people_goes_on_by_their_store(old, capsys):
    assert main(["run", *PEOPLE, "out=people", *TINY, "budget.rounds=3"]) == 0
    assert "images to label" in capsys.readouterr().out
    assert main(["report", "out=people"]) == 0
    page = (old / "people" / "report.html").read_text(encoding="utf-8")
    assert "dent" in page


def test_a_label_store_opens(old, capsys):
    with LabelStore(old / "flat.alvision" / "labels.db", shared=True) as store:
        labels = {id: found.label for id, found in consensus(store.events()).items()}
    ids = sorted(labels)
    assert labels[ids[0]] == "worn", "the later of two answers was taken back"
    assert labels[ids[1]] == "ok", "the earlier of two answers was taken back"
    assert main(["labels", "export", "data.root=flat", "to=labels.csv"]) == 0
    assert len(rows(old / "labels.csv")) == 36
    assert main(["labels", "backup", "data.root=flat", "to=kept"]) == 0
    assert main(["labels", "history", "data.root=flat", "n=40"]) == 0
    assert "cannot be read" in capsys.readouterr().out, "a damaged entry costs its own line alone"


def test_a_bundle_predicts_and_is_promoted(old):
    imported("onnxruntime")
    promise = json.loads((old / "b" / "thresholds.json").read_text())["promise"]
    assert "90 of 100 bad parts" in promise
    assert main(["predict", "bundle=b", "images=parts", "to=p.csv"]) == 0
    calls = {row["class"] for row in rows(old / "p.csv")}
    assert calls == {"ok", "worn"}


def test_a_line_goes_on_where_it_was(old):
    imported("onnxruntime")
    (old / "inbox").mkdir()
    paint(99, "worn").save(old / "inbox" / "late.png")
    status = main(["watch", "bundle=b", "images=inbox", "to=line", "once=true", "settle=0.1"])
    assert status in (0, 1)
    assert not list((old / "inbox").glob("*.png"))
    assert (old / "line" / "status.html").exists()
