"""The command as its user calls it: on images, with a tiny network of random weights."""

import csv

import pytest
from PIL import Image

from alvision.cli.run import shrinks
from alvision.config.schema import DataConfig
from alvision.data.images import ImageSpec
from alvision.data.manifest import build
from tests.integration.conftest import TINY


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_run_on_class_folders_leaves_everything_it_promises(run, tmp_path):
    status, out, err = run("run", "data.root=parts", "acquisition=bald", "defects=[worn]", *TINY)
    assert (status, err) == (0, "")
    folder = tmp_path / "runs" / "parts" / "bald" / "seed-0"
    steps = {"query.csv", "answers.csv", "model.ckpt", "predictions.parquet", "metrics.json"}
    for number in range(3):
        assert {p.name for p in (folder / "rounds" / f"{number:03d}").iterdir()} == steps
    assert {"experiment.yaml", "labels.db", "metrics.csv", "report.html", "tensorboard"} <= {
        p.name for p in folder.iterdir()
    }
    rows = table(folder / "metrics.csv")
    assert [row["labels"] for row in rows] == ["6", "10", "14"]
    assert all(0 <= float(row["macro_f1"]) <= 1 and row["escape_rate"] for row in rows)
    query = table(folder / "rounds" / "001" / "query.csv")
    assert ",".join(query[0]) == "id,rank,score,slot,propensity,prediction,reason,sha256"
    assert all(row["reason"] and row["prediction"] in ("ok", "worn") for row in query)
    assert "report:" in out
    before = {p: p.read_bytes() for p in (folder / "rounds").rglob("*.*")}
    assert run("run", "data.root=parts", "acquisition=bald", "defects=[worn]", *TINY)[0] == 0
    assert before == {p: p.read_bytes() for p in (folder / "rounds").rglob("*.*")}


@pytest.mark.slow
def test_a_path_with_spaces_and_umlauts(run, tmp_path):
    (tmp_path / "parts").rename(tmp_path / "geprüfte Teile=1")
    status, _, err = run("run", "data.root=geprüfte Teile=1", "out=mein Lauf", *TINY)
    assert (status, err) == (0, "")
    assert (tmp_path / "mein Lauf" / "report.html").exists()


@pytest.mark.slow
def test_broken_images_are_set_aside_and_named(run, tmp_path):
    (tmp_path / "parts" / "ok" / "000.png").write_bytes(b"no image")
    (tmp_path / "parts" / "ok" / "001.png").write_bytes(b"")
    assert run("run", "data.root=parts", "out=o", *TINY)[0] == 0
    rows = table(tmp_path / "o" / "set_aside.csv")
    assert {row["id"] for row in rows} == {"ok/000.png", "ok/001.png"}
    assert all(row["reason"] for row in rows)
    assert "ok/000.png" in (tmp_path / "o" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_ensemble_disagrees_with_itself_where_there_is_no_dropout(run, tmp_path):
    ensemble = ("model.head=ensemble", "model.passes=4", "acquisition=bald", "out=o")
    assert run("run", "data.root=parts", *TINY, *ensemble)[0] == 0
    rows = table(tmp_path / "o" / "rounds" / "001" / "query.csv")
    assert all((float(row["score"]) > 0 and "of 4 passes" in row["reason"]) or "all 4 passes"
               in row["reason"] for row in rows)  # fmt: skip


@pytest.mark.slow
def test_a_pool_without_a_defect_labelled_yet_works(run, tmp_path):
    for path in sorted((tmp_path / "parts" / "worn").iterdir())[2:]:
        path.unlink()
    words = ["data.root=parts", "budget.initial=2", "defects=[worn]", "out=o"]
    tiny = [word for word in TINY if "initial" not in word]
    status, _, err = run("run", *words, *tiny)
    assert (status, err) == (0, "")


@pytest.mark.slow
def test_a_sweep_puts_the_swept_keys_into_the_folder(run, tmp_path):
    words = ["data.root=parts", "seed=1", "model.dropout=0.2,0.5", *TINY, "budget.rounds=0"]
    status, _, err = run("run", "-m", *words)
    assert (status, err) == (0, "")
    for dropout in ("0.2", "0.5"):
        folder = tmp_path / f"runs/parts/model.dropout={dropout}/uncertainty_herding/seed-1"
        assert (folder / "metrics.csv").exists()


@pytest.mark.slow
def test_people_answer_by_a_file_and_the_same_command_goes_on(run, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    truth = {}
    for path in sorted((tmp_path / "parts").rglob("*.png")):
        name = f"{path.parent.name[0]}{path.name}"
        Image.open(path).save(photos / name)
        truth[name] = path.parent.name
    words = ["run", "data.root=photos", "oracle=files", "classes=[ok,worn]", "out=o", *TINY]
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    sheet = tmp_path / "o" / "rounds" / "000" / "to_label" / "answers.csv"
    assert str(sheet.relative_to(tmp_path)) in out.replace("\n", "")
    rows = table(sheet)
    assert len(rows) == 6 + 4, "audit rows come on top"
    half = sheet.read_text(encoding="utf-8")[:-7]
    sheet.write_text(half, encoding="utf-8")
    status, _, _ = run(*words)
    assert not (tmp_path / "o" / "rounds" / "000" / "answers.csv").exists()
    for number in range(3):
        sheet = tmp_path / "o" / "rounds" / f"{number:03d}" / "to_label" / "answers.csv"
        if number:
            rows = table(sheet)
        for row in rows:
            row["label"] = truth[row["id"]]
        with sheet.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        status, out, err = run(*words)
        assert (status, err) == (0, "")
    assert [r["labels"] for r in table(tmp_path / "o" / "metrics.csv")] == ["6", "10", "14"]
    assert (tmp_path / "photos.alvision" / "labels.db").exists()
    assert (tmp_path / "photos.alvision" / "audit.csv").exists()


@pytest.mark.slow
def test_labels_go_out_and_come_back(run, tmp_path):
    assert run("run", "data.root=parts", "out=o", *TINY)[0] == 0
    assert run("labels", "verify", "out=o")[0] == 0
    status, _, err = run("labels", "export", "out=o", "to=given.csv")
    assert (status, err) == (0, "")
    assert len(table(tmp_path / "given.csv")) == 14
    words = ["from=given.csv", "data.root=parts", "classes=[ok,worn]"]
    assert run("labels", "import", *words)[0] == 0
    status, out, _ = run("labels", "verify", "data.root=parts", "classes=[ok,worn]")
    assert status == 0
    assert "14 events, 0 problems" in out


def test_a_resize_that_hides_small_defects_is_warned_about(tmp_path):
    for side, warned in ((320, True), (64, False)):
        root = tmp_path / str(side)
        root.mkdir()
        Image.new("RGB", (side, side)).save(root / "a.png")
        (root / "b.png").write_bytes(b"no image")
        told = shrinks(build(DataConfig(kind="folder", root=str(root))), ImageSpec(size=32))
        assert (told is not None and "shrunk 10 x to 32 pixels" in told) == warned


@pytest.mark.slow
def test_a_report_is_rebuilt_from_the_files(run, tmp_path):
    assert run("run", "data.root=parts", "out=o", *TINY)[0] == 0
    page = tmp_path / "o" / "report.html"
    page.unlink()
    assert run("report", "out=o")[0] == 0
    assert page.stat().st_size > 1000


def test_check_writes_a_page_and_a_table(run, tmp_path):
    status, out, err = run("check", "data.root=parts", "to=check.html")
    assert (status, err) == (0, "")
    assert (tmp_path / "check.html").exists()
    assert "ok" in out
