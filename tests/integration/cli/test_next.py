"""The next batch goes to another tool and comes back, and the run goes on."""

import csv
import json
import shutil

import pytest

from tests.integration.conftest import TINY

CLASSES = "classes=[ok,worn]"


@pytest.fixture
def photos(parts, tmp_path):
    """Return a folder with the parts, whose names say their class to this test alone."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in parts.rglob("*.png"):
        shutil.copy(path, folder / f"{path.parent.name[0]}{path.name}")
    return folder


def answer_in_cvat(batch, truth):
    """Tag every image as a person in CVAT does; its export is one XML file."""
    file = batch / "annotations.xml"
    lines = []
    for line in file.read_text("utf-8").splitlines():
        if "<image " in line:
            name = line.split('name="images/')[1].split(".png")[0]
            line = line.replace("/>", f'><tag label="{truth[name]}" source="manual"/></image>')
        lines.append(line)
    file.write_text("\n".join(lines), "utf-8")


@pytest.mark.slow
def test_a_round_is_answered_in_another_tool(run, tmp_path, photos):
    words = ["run", "data.root=photos", CLASSES, "oracle=files", "out=o", *TINY]
    assert "10 images to label" in run(*words)[1].replace("\n", "")
    status, out, err = run("next", "out=o", "to=batch", "format=cvat")
    assert (status, err) == (0, "")
    assert out.startswith("10 images to label are in batch")
    with (tmp_path / "o" / "rounds" / "000" / "query.csv").open(encoding="utf-8") as file:
        asked = {row["sha256"][:16]: row["id"] for row in csv.DictReader(file)}
    truth = {name: "worn" if id[0] == "w" else "ok" for name, id in asked.items()}
    assert {path.stem for path in (tmp_path / "batch" / "images").iterdir()} == {*asked}

    came_in = ["labels", "import", "out=o", "from=batch", "by=anna"]
    status, out, _ = run(*came_in)
    assert (status, "10 without a label" in out, "none=CLASS" in out) == (0, True, True)
    answer_in_cvat(tmp_path / "batch", truth)
    assert run(*came_in)[1] == "imported: 10 added, 0 known already, 0 without a label\n"
    assert run(*came_in)[1] == "imported: 0 added, 10 known already, 0 without a label\n"
    assert "10 images to label" not in run(*words)[1].replace("\n", "")
    with (tmp_path / "o" / "metrics.csv").open(encoding="utf-8") as file:
        assert [row["answers"] for row in csv.DictReader(file)] == ["10"]
    history = run("labels", "history", "data.root=photos", CLASSES)[1]
    assert history.count("anna: ") == 10

    assert run("next", "out=o", "to=batch 2", "format=folders")[0] == 0
    for picture in sorted((tmp_path / "batch 2").glob("*.png")):
        picture.rename(picture.parent / "ok" / picture.name)
    status, out, err = run("labels", "import", "out=o", "from=batch 2", "by=bert")
    assert (status, err) == (0, "")
    assert "added, 0 known" in out
    status, _, err = run("next", "out=o", "to=batch 3", "format=csv")
    assert (status, "every image that round 1 asks for is answered" in err) == (2, True)


@pytest.mark.slow
def test_known_labels_come_from_a_tool_and_go_to_one(run, tmp_path, photos):
    names = sorted(path.name for path in photos.iterdir())
    content = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
        "categories": [{"id": 5, "name": "worn"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 5, "bbox": [1, 1, 9, 9]}
            for n, name in enumerate(names)
            if name[0] == "w"
        ],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    data = ["data.root=photos", CLASSES]
    status, out, _ = run("labels", "import", *data, "from=boxes.json", "none=ok")
    assert (status, out) == (
        0,
        f"imported: {len(names)} added, 0 known already, 0 without a label\n",
    )
    for form, to in (("coco", "out.json"), ("cvat", "out.xml"), ("fiftyone", "out")):
        status, out, err = run("labels", "export", *data, f"form={form}", f"to={to}")
        assert (status, err) == (0, "")
        assert out == f"{len(names)} labels written to {to}\n"
        assert run("labels", "import", *data, f"from={to}")[1] == (
            f"imported: 0 added, {len(names)} known already, 0 without a label\n"
        )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["next", "out=parts", "to=b", "format=cvat"], "parts"),
        (["next", "out=o", "to=b", "format=word"], "cvat, label_studio"),
        (["labels", "import", "data.root=parts", "classes=[ok,worn]", "from=parts", "none=ok"],
         "about boxes"),
        (["labels", "export", "data.root=parts", "form=coco"], "to=FILE"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_line(run, parts, words, told):
    status, _, err = run(*words)
    assert status == 2
    assert told in err
    assert err.count("\n") == 1
