"""A bundle's `predict.py`: it judges nothing with a file that is not the one that was exported."""

import builtins
import csv
import dis
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from alvision.cli import main
from alvision.core.errors import UserError
from alvision.data.hashes import file_hash
from alvision.deploy.bundle.bundle import MANIFEST, open_bundle
from alvision.deploy.bundle.predict_script import script
from alvision.deploy.bundle.thresholds import THRESHOLDS, Thresholds
from tests.support import grey
from tests.support.parts import imported
from tests.support.rubbish import RUBBISH

imported("onnxruntime")
imported("onnx")

PROMISE = Thresholds(low=0.5, high=0.5, escape=0.1, confidence=0.95)


@pytest.fixture
def bundle(tmp_path):
    """Return the folder of a bundle with a threshold and its script, beside three parts."""
    folder = grey.write(tmp_path / "b", 0.5, tmp_path / "run", promise=PROMISE).folder
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert about["image"].get("reduced") in (True, False, None)
    (folder / "predict.py").write_text(script(), encoding="utf-8")
    grey.shades(tmp_path / "parts", 1, 2)
    return folder


def sort(bundle):
    """Run the script; return its status, its last line and its rows."""
    result = bundle.parent / "result.csv"
    result.unlink(missing_ok=True)
    words = [sys.executable, "-I", bundle / "predict.py", bundle.parent / "parts", result]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    rows = []
    if result.exists():
        with result.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return done.returncode, done.stderr, rows


def edited(path, **values):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | values), encoding="utf-8")


def test_it_sorts_with_what_was_exported(bundle):
    status, _, rows = sort(bundle)
    assert status == 0 and [row["verdict"] for row in rows] == ["pass", "reject", "reject"]


@pytest.mark.parametrize("result", ["missing/result.csv", "b"])
def test_a_table_that_cannot_be_written_is_one_line(bundle, result):
    words = [sys.executable, "-I", bundle / "predict.py", "parts", result]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=bundle.parent)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{result} cannot be written (")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (THRESHOLDS, lambda path: edited(path, low=1.1, high=1.1)),
        (MANIFEST, lambda path: edited(path, temperature=9.0)),
        (MANIFEST, lambda path: (edited(path, defects=[]), (path.parent / THRESHOLDS).unlink())),
        ("model.onnx", lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x")),
        ("novelty.npy", lambda path: path.unlink()),
        (THRESHOLDS, lambda path: path.write_text("{")),
        (MANIFEST, lambda path: path.write_text("[]")),
    ],
)
def test_a_changed_file_is_refused_on_both_sides(bundle, file, change):
    change(bundle / file)
    status, said, rows = sort(bundle)
    assert status == 1 and said.count("\n") == 1 and file in said and not rows
    with pytest.raises(UserError, match=file if file != MANIFEST else "changed|damaged|another"):
        open_bundle(bundle)


def test_odd_names_are_written_and_what_was_left_behind_is_not_judged(bundle, monkeypatch, capsys):
    parts = bundle.parent / "parts"
    odd = parts / "gr\udcfcn.png"
    try:
        Image.new("RGB", (8, 8), "white").save(odd)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    for name in RUBBISH:
        (parts / name).parent.mkdir(parents=True, exist_ok=True)
        (parts / name).write_bytes(odd.read_bytes())
    status, _, rows = sort(bundle)
    names = [row["image"] for row in rows]
    assert status == 0 and "gr\\udcfcn.png" in names and len(rows) == 4
    monkeypatch.chdir(bundle.parent)
    assert main(["predict", f"bundle={bundle}", f"images={parts}", "to=ours.csv"]) == 0
    with Path("ours.csv").open(encoding="utf-8", newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == names
    assert "4 images" in capsys.readouterr().out


def test_it_opens_the_formats_that_alvision_opens(bundle, monkeypatch, capsys):
    parts = bundle.parent / "parts"
    Image.new("RGB", (8, 8), "white").save(parts / "netpbm.png", format="PPM")
    status, _, rows = sort(bundle)
    refused = [row["image"] for row in rows if row["reason"]]
    assert status == 1 and refused == ["netpbm.png"]
    monkeypatch.chdir(bundle.parent)
    assert main(["predict", f"bundle={bundle}", f"images={parts}", "to=ours.csv"]) == 1
    assert "1 unreadable" in capsys.readouterr().out


def test_a_bundle_of_an_earlier_export_is_not_signed_and_opens(bundle):
    (bundle / THRESHOLDS).unlink()
    content = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    del content["sha256"]
    (bundle / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    assert open_bundle(bundle).identity == file_hash(bundle / MANIFEST)


def test_a_bundle_whose_folder_was_taken_by_another_one_judges_nothing(bundle, tmp_path):
    before = open_bundle(bundle)
    other = grey.write(tmp_path / "other", 0.9, tmp_path / "run").folder
    for path in other.iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="is not what was exported"):
        before.open()


def test_a_bundle_that_is_exchanged_while_it_is_opened_is_the_new_one(
    bundle, tmp_path, monkeypatch
):
    from alvision.deploy.bundle import bundle as module

    other = grey.write(tmp_path / "other", 0.9, tmp_path / "run")
    checked = module._checked

    def exchanging(path, expected):
        monkeypatch.setattr(module, "_checked", checked)
        bundle.rename(tmp_path / "before")
        other.folder.rename(bundle)
        return checked(path, expected)

    monkeypatch.setattr(module, "_checked", exchanging)
    assert open_bundle(bundle).identity == other.identity


def test_a_bundle_with_a_defect_that_its_network_does_not_know_is_refused(tmp_path):
    with pytest.raises(UserError, match="calls torn a defect"):
        grey.write(tmp_path / "b", 0.5, tmp_path / "run", defects=("worn", "torn"))


def test_every_name_that_the_script_uses_is_in_it():
    code = compile(script(), "predict.py", "exec")
    known, used, waiting = {*dir(builtins), "__file__"}, set(), [code]
    while waiting:
        one = waiting.pop()
        for step in dis.get_instructions(one):
            if step.opname in ("STORE_NAME", "STORE_GLOBAL", "IMPORT_NAME"):
                known.add(step.argval)
            elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                used.add(step.argval)
        waiting += [part for part in one.co_consts if hasattr(part, "co_code")]
    # Of a file that this script opens under no name: HEIC_SUFFIXES is empty there.
    assert used - known == {"heic_is_supported"}
