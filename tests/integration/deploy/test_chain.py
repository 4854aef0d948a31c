"""The whole chain on drawn parts: train, export, threshold, predict, and predict.py alone."""

import csv
import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from alvision.cli import main
from alvision.data.images import load
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.threshold.look_log import read
from tests.conftest import paint
from tests.support.parts import imported

pytestmark = pytest.mark.slow

SIZE = "data.image.size=32"
MODEL = ["model.backbone=timm:test_resnet", "model.weights=null", "trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with drawn parts, a final model and a bundle in two forms."""
    imported("onnxruntime")
    imported("openvino")
    folder = tmp_path_factory.mktemp("chain")
    for label, count in (("ok", 150), ("worn", 170)):
        (folder / "parts" / label).mkdir(parents=True)
        for i in range(count):
            image = paint(i + 1000 * len(label), label)
            image.save(folder / "parts" / label / f"{i:03d}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        train = ["train", "data.root=parts", 'defects=["worn"]', "audit.share=0.5", "out=run"]
        assert main([*train, *MODEL, SIZE]) == 0
        assert main(["export", "out=run", "bundle=b", "format=openvino"]) == 0
        yield folder


def bad(capsys, *words):
    """Run a command that is refused and return its one line."""
    assert main(list(words)) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def copied(place, name):
    shutil.rmtree(place / name, ignore_errors=True)
    return shutil.copytree(place / "b", place / name)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_final_model_is_judged_by_images_that_it_was_not_trained_on(place):
    about = json.loads((place / "run" / "final" / "model.json").read_text(encoding="utf-8"))
    assert sum(about["labels"].values()) == 160
    assert 50 < about["monitor"]["n"] < 110
    assert about["monitor"]["accuracy"] > 0.9
    assert (place / "run" / "final" / "reliability.png").stat().st_size > 5000


def test_training_again_keeps_to_the_run(place, capsys):
    model = (place / "run" / "final" / "model.ckpt").read_bytes()
    assert main(["train", "out=run"]) == 0
    assert (place / "run" / "final" / "model.ckpt").read_bytes() == model
    changed = bad(capsys, "train", "data.root=parts", "audit.share=0.3", "out=run", *MODEL, SIZE)
    assert "holds another configuration: audit.share was 0.5" in changed


def test_a_folder_that_is_no_bundle_stays(place, capsys):
    assert "is no bundle; name a folder" in bad(capsys, "export", "out=run", "bundle=parts")
    assert len(list((place / "parts").rglob("*.png"))) == 320


def test_golden_images_give_their_logits(place):
    bundle = open_bundle(place / "b")
    assert len(bundle.manifest.golden) == 8
    for golden in bundle.manifest.golden:
        logits = bundle.run(load(place / "b" / golden.file, bundle.spec)[None]).logits[0]
        assert np.allclose(logits, golden.logits, atol=1e-4)


def test_torch_is_a_form_too(place, capsys):
    assert main(["export", "out=run", "bundle=t", "format=torch"]) == 0
    told = capsys.readouterr().out
    assert "torch: 64 images decided alike" in told and "onnx: 64 images" in told
    assert (place / "t" / "model.pt2").exists() and not list(place.glob(".t.part"))


def test_a_promise_its_price_and_its_refusal(place, capsys):
    refused = bad(capsys, "threshold", "bundle=b", "escape=0.001")
    assert "needs 2995 independent held-out defects" in refused and "audit.share" in refused
    assert read(place / "run" / "seal_readings.jsonl") == []
    assert main(["threshold", "bundle=b", "escape=0.1", "human=0.2"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Catches at least 90 of 100 bad parts, 95 % sure")
    first = (place / "b" / "thresholds.json").read_bytes()
    assert main(["threshold", "bundle=b", "escape=0.1", "human=0.2"]) == 0
    assert (place / "b" / "thresholds.json").read_bytes() == first
    assert main(["threshold", "bundle=b", "escape=0.2"]) == 0
    assert "were used 1 time before" in " ".join(capsys.readouterr().out.split())
    limits = open_bundle(place / "b").thresholds
    assert limits.spent_confidence == 0.975 and limits.reading == 2
    assert limits.per_class["worn"].holds is True
    assert len(read(place / "run" / "seal_readings.jsonl")) == 2


def test_predictions_are_rows_and_a_page(place, capsys):
    incoming = place / "incoming"
    incoming.mkdir()
    for i in range(40):
        paint(5000 + i, "worn" if i % 4 == 0 else "ok").save(incoming / f"{i:02d}.png")
    (incoming / "broken.png").write_bytes(b"no image")
    words = ["predict", "bundle=b", "images=incoming"]
    assert main([*words, "to=out/p.csv"]) == 1
    assert "1 unreadable" in capsys.readouterr().out
    rows = table(place / "out" / "p.csv")
    assert [row["image"] for row in rows] == sorted(row["image"] for row in rows)
    assert len(rows) == 41 and rows[-1]["reason"] == "not an image" and rows[-1]["class"] == ""
    right = sum((row["class"] == "worn") == (int(row["image"][:2]) % 4 == 0) for row in rows[:-1])
    assert right >= 36
    assert main([*words, "to=out/p.parquet"]) == 1
    same = pq.read_table(place / "out" / "p.parquet").to_pylist()
    assert [row["verdict"] for row in same[:-1]] == [row["verdict"] for row in rows[:-1]]
    page = (place / "out" / "p.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 40 and "not an image" in page
    assert "to=x.txt must end in" in bad(capsys, *words, "to=x.txt")


def test_a_line_is_watched_with_what_was_exported(place, capsys):
    inbox = place / "inbox"
    inbox.mkdir()
    for i in range(60):
        paint(7000 + i, "worn" if i % 4 == 0 else "ok").save(inbox / f"{i:02d}.png")
    assert main(["watch", "bundle=b", "images=inbox", "to=line", "once=true", "settle=0.1"]) == 0
    assert "60 images:" in capsys.readouterr().out
    sorted_ones = [
        path for kind in ("pass", "reject") for path in (place / "line" / kind).iterdir()
    ]
    right = [(p.parent.name == "reject") == (int(p.stem) % 4 == 0) for p in sorted_ones]
    assert len(right) > 40 and np.mean(right) > 0.9
    assert "and the line is as it was" in (place / "line" / "status.html").read_text("utf-8")


def alone(place, python, images, result):
    """Run a bundle's predict.py where there is no alvision."""
    done = subprocess.run(
        [python, "-I", place / "b" / "predict.py", images, result],
        cwd=place / "parts",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return table(result)


def assert_alike(place, rows):
    assert main(["predict", "bundle=b", f"images={place / 'parts'}", "to=parts.csv"]) == 0
    ours = table(place / "parts.csv")
    assert len(rows) == len(ours) == 320
    for one, other in zip(rows, ours, strict=True):
        assert one.keys() == other.keys()
        for name in ("image", "class", "verdict"):
            assert one[name] == other[name]
        for name, apart in (("defect_score", 1e-4), ("novelty", 5e-3), ("p:worn", 1e-4)):
            assert float(one[name]) == pytest.approx(float(other[name]), abs=apart)


def test_predict_py_decides_alike(place):
    script = (place / "b" / "predict.py").read_text(encoding="utf-8")
    assert len(script.splitlines()) <= 600 and "alvision." not in script
    assert_alike(place, alone(place, sys.executable, place / "parts", place / "alone.csv"))


def test_a_bundle_that_is_not_what_was_exported_is_refused(place, capsys):
    words = ["predict", "bundle=c", "images=parts"]
    changed = copied(place, "c")
    data = bytearray((changed / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (changed / "model.onnx").write_bytes(data)
    assert "its bytes have changed" in bad(capsys, *words)
    alone_refuses = subprocess.run(
        [sys.executable, changed / "predict.py", place / "parts", place / "never.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone_refuses.returncode != 0 and "not what was exported" in alone_refuses.stderr
    about = json.loads((copied(place, "c") / "bundle.json").read_text(encoding="utf-8"))
    (place / "c" / "bundle.json").write_text(json.dumps(about | {"format": 99}), encoding="utf-8")
    assert "another version" in bad(capsys, *words)
    (copied(place, "c") / "golden" / "1.png").unlink()
    assert "is missing" in bad(capsys, *words)
    (copied(place, "c") / "thresholds.json").write_text('{"low": 0, "sha256": ""}')
    assert "changed by hand" in bad(capsys, *words)
    assert "is no bundle" in bad(capsys, "predict", "bundle=parts", "images=parts")
    assert "is not a folder" in bad(capsys, "predict", "bundle=b", "images=nowhere")
    assert not (place / "predictions.csv").exists()


def test_a_backend_that_decides_otherwise_leaves_nothing_behind(place, capsys, monkeypatch):
    from alvision.deploy.bundle import backends, export

    def other(network, size, folder):
        return lambda pixels: backends.Output(
            *(-value for value in whole(network, size, folder)(pixels))
        )

    whole = export.to_torch
    monkeypatch.setattr(export, "to_torch", other)
    line = bad(capsys, "export", "out=run", "bundle=y", "format=torch")
    assert "torch does not compute what the model does" in line
    assert not (place / "y").exists() and not list(place.glob(".*.part"))


def test_a_class_that_was_added_after_the_training_is_refused(place, capsys):
    run = shutil.copytree(place / "run", place / "grown")
    document = run / "experiment.yaml"
    text = document.read_text(encoding="utf-8")
    grown = text.replace("classes:\n- ok\n", "classes:\n- ok\n- torn\n").replace(
        "\ndefects:\n- worn", "\ndefects:\n- torn\n- worn"
    )
    assert grown.count("torn") >= 2
    document.write_text(grown, encoding="utf-8")
    line = bad(capsys, "export", "out=grown", "bundle=g")
    assert "the class torn was added after the model was trained: alvision train" in line
    assert not (place / "g").exists() and not list(place.glob(".*.part"))


def test_a_bundle_that_cannot_decide_takes_no_place(place, capsys, monkeypatch):
    from alvision.deploy.bundle import export

    def blind(final, ids, run, what, progress, note=None):
        found = whole(final, ids, run, what, progress, note or (lambda *batch: None))
        return dataclasses.replace(found, logits=found.logits + 1)

    whole = export._outputs
    before = (place / "b" / "bundle.json").read_bytes()
    monkeypatch.setattr(export, "_outputs", blind)
    line = bad(capsys, "export", "out=run", "bundle=b")
    assert "does not compute here what it was exported with" in line
    assert (place / "b" / "bundle.json").read_bytes() == before


def test_what_cannot_be_is_one_line(place, capsys):
    assert "is not a run's folder" in bad(capsys, "export", "out=nowhere")
    assert "format=tensorrt is unknown" in bad(
        capsys, "export", "out=run", "bundle=x", "format=tensorrt"
    )
    assert "above 0 and below 1" in bad(capsys, "threshold", "bundle=b", "escape=2")
    assert "no option colour=" in bad(capsys, "threshold", "bundle=b", "colour=red")
    assert "give look= and scrap=" in bad(capsys, "threshold", "bundle=b", "look=1")
    assert not (place / "x").exists() and not list(place.glob(".*.part"))


def test_a_new_run_starts_from_the_bundle_as_from_its_run(place):
    again = ["run", "data.root=parts", *MODEL, SIZE, "budget.rounds=1", "budget.initial=40"]
    for name, source in (("from_run", "run"), ("from_bundle", "b")):
        assert main([*again, "oracle=simulated", f"out={name}", f"model.init={source}"]) == 0
    curves = [(place / name / "metrics.csv").read_text() for name in ("from_run", "from_bundle")]
    assert without_times(curves[0]) == without_times(curves[1])
    assert (place / "from_bundle/init.ckpt").read_bytes() == (
        place / "run/final/model.ckpt"
    ).read_bytes()


def without_times(curve):
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in csv.DictReader(curve.splitlines())
    ]
