"""What other tools write is read, and what is written for them comes back."""

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import QueryRow
from alvision.labels.exchange import foreign_files
from alvision.labels.exchange.foreign import Finder, Rule
from alvision.labels.exchange.foreign_files import BATCH_FORMATS, write_batch, write_labels
from alvision.labels.exchange.formats import READERS, format_of
from alvision.labels.exchange.label_studio import can_choose
from tests.support.foreign import BOX, coco, cvat, detections, samples, task, voc, write

READ = {"a.png": ("crack",), "b.png": ("scratch", "crack"), "c.png": ()}
MARKS = '<box label="scratch" xtl="1"/><polygon label="crack" points="1,2"/>'
FILES = {
    "coco": {
        "x.json": coco(
            ("a.png", "b.png", "c.png"),
            (("b.png", "scratch"), ("a.png", "crack"), ("b.png", "crack")),
        )
    },
    "cvat": {
        "annotations.xml": cvat(("a.png", '<tag label="crack"/>'), ("b.png", MARKS), ("c.png", ""))
    },
    "voc": {
        "Annotations/a.xml": voc("a.png", "crack"),
        "Annotations/b.xml": voc("b.png", "scratch", "crack"),
        "Annotations/c.xml": voc("c.png"),
    },
    "yolo": {
        "data.yaml": "names: {0: crack, 1: scratch}\nnc: 2\n",
        "images/train/a.png": b"",
        "labels/train/a.txt": "0 .5 .5 .2 .2\n",
        "labels/train/b.txt": "1 .1 .1 .2 .1 .2 .2\n\n" + BOX,
        "images/train/b.png": b"",
        "images/train/c.png": b"",
    },
    "fiftyone": {
        "samples.json": samples(
            ("a.png", {"label": {"_cls": "Classification", "label": "crack"}}),
            ("b.png", {"label": detections("scratch", "crack")}),
            ("c.png", {"label": None, "tags": ["x"], "metadata": {"_cls": "ImageMetadata"}}),
        )
    },
    "label_studio": {
        "x.json": [
            task("/data/upload/1/0123abcd-a.png", "crack"),
            task("/data/local-files/?d=lot/b.png", "scratch", "crack"),
            task("s3://bucket/c.png"),
            {"id": 4, "data": {"image": "nobody looked"}, "annotations": []},
            task("d.png", "crack", was_cancelled=True),
        ]
    },
}


def place(folder, format):
    return folder / "x.json" if format in ("coco", "label_studio") else folder


@pytest.mark.parametrize("format", FILES)
def test_a_tools_file_is_recognised_and_read(tmp_path, format):
    write(tmp_path, FILES[format])
    assert format_of(place(tmp_path, format)) == format
    found = {one.name: one.classes for one in READERS[format](place(tmp_path, format))}
    assert {
        name.rpartition("/")[2].removeprefix("0123abcd-"): c for name, c in found.items()
    } == READ
    assert {Finder(READ, {}).find(one) for one in READERS[format](place(tmp_path, format))} == {
        *READ
    }


def test_every_format_is_tried_here():
    assert {*FILES} == {*READERS}


def test_names_are_told_by_a_list_of_lines_too(tmp_path):
    write(tmp_path, {"obj.names": "crack\nscratch\n", "obj_train_data/a.txt": "1 .5 .5 .2 .2"})
    assert [one.classes for one in READERS["yolo"](tmp_path)] == [("scratch",)]


def test_labels_of_fiftyone_by_name_and_by_number(tmp_path):
    content = {"classes": None, "labels": {"a": "ok", "b": [{"label": "ok"}, "crack"], "c": None}}
    write(tmp_path, {"labels.json": content})
    assert [one.classes for one in READERS["fiftyone"](tmp_path)] == [("ok",), ("ok", "crack"), ()]


@pytest.mark.parametrize(
    ("files", "format"),
    [({"labels.csv": "id,label\n"}, "csv"), ({"crack/a.png": b""}, "folders")],
)
def test_what_is_our_own_stays_our_own(tmp_path, files, format):
    write(tmp_path, files)
    assert format_of(tmp_path if format == "folders" else tmp_path / "labels.csv") == format


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=6
).filter(lambda name: can_choose(name) and name.strip() == name and name not in (".", ".."))
STEMS = st.text(string.ascii_letters + string.digits + " _-ü", min_size=1, max_size=8)
IDS = st.lists(STEMS, min_size=1, max_size=3).map(lambda parts: "/".join(parts).strip() + ".png")


@pytest.mark.parametrize("form", ["coco", "cvat", "fiftyone"])
@given(
    st.dictionaries(IDS, st.integers(0, 2), min_size=1, max_size=5),
    st.lists(NAMES, min_size=3, max_size=3, unique_by=str.casefold),
)
@settings(max_examples=15, deadline=None)
def test_labels_go_out_and_come_back(tmp_path_factory, form, numbers, classes):
    folder = tmp_path_factory.mktemp("out")
    picture = folder / "picture.png"
    picture.touch()
    labels = {id: classes[number] for id, number in numbers.items()}
    to = folder / {"coco": "x.json", "cvat": "x.xml", "fiftyone": "x"}[form]
    known = {"path_of": lambda id: picture, "size_of": lambda path: (30, 20), "classes": classes,
             "boxes": {}}  # fmt: skip
    assert write_labels(labels, to, form, **known) == len(labels)
    assert format_of(to) == form
    images = READERS[form](to)
    finder = Finder(labels, {})
    assert {finder.find(one): Rule().label(one, classes) for one in images} == labels


HASHES = {"ok/a.png": "a" * 64, "worn/b.png": "b" * 64}
ROWS = [QueryRow("worn/b.png", 1, prediction="worn"), QueryRow("ok/a.png", 0, slot="audit")]


def batch(to, format, rows=ROWS):
    def copy(id, folder, name):
        (folder / f"{name}.png").write_bytes(id.encode())
        return folder / f"{name}.png"

    write_batch(rows, to, format, round=2, classes=["ok", "worn"], hashes=HASHES, copy=copy,
                size_of=lambda path: (30, 20))  # fmt: skip


@pytest.mark.parametrize("format", BATCH_FORMATS)
def test_a_batch_names_its_images_and_tells_no_class(tmp_path, format):
    to = tmp_path / "batch"
    batch(to, format)
    if format == "csv":
        assert to.read_text("utf-8-sig").splitlines()[1:] == ["worn/b.png,,", "ok/a.png,,"]
        with pytest.raises(UserError, match="there already"):  # it may hold answers
            batch(to, format)
        return
    pictures = [path.relative_to(to).as_posix() for path in to.rglob("*.png")]
    assert {Finder(HASHES, HASHES).find(one) for one in map(named, pictures)} == {*HASHES}
    assert not any("worn" in name for name in pictures)
    with pytest.raises(UserError, match="not empty"):
        batch(to, format)


def test_half_a_batch_is_no_batch(tmp_path, monkeypatch):
    with monkeypatch.context() as stopped:
        stopped.setattr(foreign_files, "_write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            batch(tmp_path / "batch", "cvat")
    assert not list(tmp_path.iterdir())
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / ".DS_Store").write_bytes(b"")
    batch(tmp_path / "batch", "cvat")
    assert {path.name for path in (tmp_path / "batch").iterdir()} == {
        "annotations.xml", "images", "label_settings.json",
    }  # fmt: skip


def named(name):
    from alvision.labels.exchange.foreign import ForeignImage

    return ForeignImage(name, (), "here")


@pytest.mark.parametrize("format", ["cvat", "fiftyone"])
def test_a_batch_that_nobody_has_answered_holds_no_label(tmp_path, format):
    batch(tmp_path / "batch", format)
    assert format_of(tmp_path / "batch") == format
    images = READERS[format](tmp_path / "batch")
    assert {Finder(HASHES, HASHES).find(one): one.classes for one in images} == {
        "ok/a.png": (),
        "worn/b.png": (),
    }


def test_label_studios_tasks_come_back_by_their_bytes(tmp_path):
    batch(tmp_path / "batch", "label_studio")
    tasks = json.loads((tmp_path / "batch" / "tasks.json").read_text("utf-8"))
    assert [len(one["predictions"]) for one in tasks] == [1, 0]
    choice = {"type": "choices", "value": {"choices": ["ok"]}}
    for one in tasks:
        one["annotations"] = [{"completed_by": 3, "result": [choice]}]
    write(tmp_path, {"export.json": tasks})
    images = READERS["label_studio"](tmp_path / "export.json")
    assert {Finder(HASHES, HASHES).find(one) for one in images} == {*HASHES}
    assert {one.by for one in images} == {"label studio 3"}


def test_an_image_without_a_picture_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png has no image"):
        batch(tmp_path / "batch", "cvat", [QueryRow("gone.png", 0)])
