"""Files that are broken, cut off or unclear: each is refused by one line that says where."""

import pytest

from alvision.core.errors import UserError
from alvision.labels.exchange.foreign import Rule, import_foreign
from alvision.labels.exchange.formats import READERS, format_of
from tests.support.foreign import (
    BOX,
    CLASSES,
    coco,
    cvat,
    detections,
    samples,
    task,
    voc,
    write,
)

YOLO = {"data.yaml": "names: [crack, scratch]\n", "a.png": b""}
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<annotations>&b;</annotations>'
OUTSIDE = '<!DOCTYPE x SYSTEM "http://example.invalid/x.dtd"><annotations/>'
GOOD = coco()

CASES = {
    "coco: cut off": ("x.json", {"x.json": '{"images": [\n{"id": 1,'}, ["x.json, line 2"]),
    "coco: not text": ("x.json", {"x.json": b"\xff\xfe\x00\x01"}, ["not text in UTF-8"]),
    "coco: a key twice": (
        "x.json",
        {"x.json": '{"images": [], "images": []}'},
        ["'images'", "twice"],
    ),
    "coco: too deep": ("x.json", {"x.json": "[" * 100_000}, ["nested too deeply"]),
    "coco: no categories": (
        "x.json",
        {"x.json": GOOD | {"categories": None}},
        ["categories", "missing"],
    ),
    "coco: images are no list": (
        "x.json",
        {"x.json": GOOD | {"images": {"id": 1}}},
        ["images", "not a list"],
    ),
    "coco: an image is a name": (
        "x.json",
        {"x.json": GOOD | {"images": ["a.png"]}},
        ["images[0]", "not an object"],
    ),
    "coco: an image without a name": (
        "x.json",
        {"x.json": GOOD | {"images": [{"id": 1}]}},
        ["images[0].file_name"],
    ),
    "coco: a box of no image": (
        "x.json",
        {"x.json": GOOD | {"annotations": [{"image_id": 9, "category_id": 7}]}},
        ["annotations[0].image_id", "id 9"],
    ),
    "coco: a box of no category": (
        "x.json",
        {"x.json": GOOD | {"annotations": [{"image_id": 1, "category_id": 1}]}},
        ["annotations[0].category_id", "id 1"],
    ),
    "coco: two categories, one number": (
        "x.json",
        {
            "x.json": coco(categories=("crack",))
            | {"categories": [{"id": 7, "name": "crack"}, {"id": 7, "name": "ok"}]}
        },
        ["categories[1].id", "crack"],
    ),
    "coco: an image twice": (
        "x.json",
        {
            "x.json": GOOD
            | {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]}
        },
        ["images[1].file_name", "twice"],
    ),
    "coco: a class that is none": (
        "x.json",
        {"x.json": coco(boxes=(("a.png", "dent"),), categories=("dent",))},
        ["images[0]", "'dent'"],
    ),
    "coco: an image that is not here": (
        "x.json",
        {"x.json": coco(("z.png",), ())},
        ["images[0]", "z.png"],
    ),
    "coco: two classes": (
        "x.json",
        {"x.json": coco(boxes=(("a.png", "crack"), ("a.png", "scratch")))},
        ["images[0]", "'a.png'", "crack, scratch", "several="],
    ),
    "coco: a name for two images": (
        "x.json",
        {"x.json": coco(("c.png",), ())},
        ["lot 1/c.png", "lot 2/c.png"],
    ),
    "yolo: a number without a name": (
        ".",
        YOLO | {"a.txt": BOX + "2 .5 .5 .1 .1"},
        ["a.txt, line 2", "'2'", "0 to 1"],
    ),
    "yolo: a name for a number": (
        ".",
        YOLO | {"a.txt": "crack .5 .5 .1 .1"},
        ["a.txt, line 1", "'crack'"],
    ),
    "yolo: four numbers": (".", YOLO | {"a.txt": "0 .5 .5 .1"}, ["a.txt, line 1", "4 numbers"]),
    "yolo: pixels": (".", YOLO | {"a.txt": "0 120 80 40 40"}, ["a.txt, line 1", "'120'", "share"]),
    "yolo: not a number": (".", YOLO | {"a.txt": "0 .5 .5 .1 nan"}, ["a.txt, line 1", "'nan'"]),
    "yolo: predictions": (
        ".",
        YOLO | {"a.txt": "0 .5 .5 .1 .1 .93"},
        ["a.txt, line 1", "confidence"],
    ),
    "yolo: no names": (".", {"labels/a.txt": BOX, "data.yaml": "nc: 2"}, ["data.yaml", "names"]),
    "yolo: yes is no name": (
        ".",
        {"a.txt": BOX, "data.yaml": "names: [no, yes]"},
        ["data.yaml", "as text"],
    ),
    "yolo: gaps in the numbers": (
        ".",
        {"a.txt": BOX, "data.yaml": "names: {0: ok, 2: crack}"},
        ["data.yaml", "from 0"],
    ),
    "yolo: wrong count": (
        ".",
        {"a.txt": BOX, "data.yaml": "nc: 3\nnames: [ok, crack]"},
        ["nc is 3", "2"],
    ),
    "yolo: not YAML": (
        ".",
        {"a.txt": BOX, "data.yaml": "nc: 3\nnames: [ok"},
        ["data.yaml, line 2"],
    ),
    "voc: cut off": (".", {"a.xml": "<annotation>\n<filename>a.png"}, ["a.xml, line 2"]),
    "voc: no file name": (".", {"a.xml": "<annotation/>"}, ["a.xml, line 1", "<filename>"]),
    "voc: an object without a name": (
        ".",
        {"a.xml": voc("a.png", "")},
        ["a.xml, line 3", "<name>"],
    ),
    "voc: another kind": (
        ".",
        {"a.xml": voc("a.png"), "b.xml": "<kml/>"},
        ["b.xml, line 1", "<kml>"],
    ),
    "voc: one image, two files": (
        ".",
        {"a.xml": voc("a.png"), "b.xml": voc("a.png", "ok")},
        ["b.xml", "a.xml"],
    ),
    "cvat: entities": ("x.xml", {"x.xml": BOMB}, ["x.xml, line 1", "DOCTYPE"]),
    "cvat: another file": ("x.xml", {"x.xml": OUTSIDE}, ["x.xml, line 1", "DOCTYPE"]),
    "cvat: an unknown encoding": (
        "x.xml",
        {"x.xml": '<?xml version="1.0" encoding="klingon"?><annotations/>'},
        ["x.xml, line 1"],
    ),
    "cvat: empty": ("x.xml", {"x.xml": ""}, ["x.xml, line 1"]),
    "cvat: video": (
        "x.xml",
        {"x.xml": "<annotations>\n<track/></annotations>"},
        ["x.xml, line 2", "video"],
    ),
    "cvat: no label": ("x.xml", {"x.xml": cvat(("a.png", "<tag/>"))}, ["x.xml, line 5", "label="]),
    "cvat: no name": (
        "x.xml",
        {"x.xml": "<annotations><image/></annotations>"},
        ["line 1", "name="],
    ),
    "cvat: an image twice": (
        "x.xml",
        {"x.xml": cvat(("a.png", ""), ("a.png", ""))},
        ["line 7", "line 4"],
    ),
    "cvat: an unknown mark": (
        "x.xml",
        {"x.xml": cvat(("a.png", "<circle/>"))},
        ["line 5", "<circle>"],
    ),
    "cvat: packed": ("x.zip", {"x.zip": b"PK\x05\x06" + b"\0" * 18}, ["unpack"]),
    "fiftyone: two fields": (
        "samples.json",
        {"samples.json": samples(("a.png", {"x": detections("ok"), "y": detections("crack")}))},
        ["x, y", "ground_truth"],
    ),
    "fiftyone: a mask": (
        "samples.json",
        {"samples.json": samples(("a.png", {"ground_truth": {"_cls": "Segmentation"}}))},
        ["samples[0].ground_truth", "Segmentation"],
    ),
    "fiftyone: no path": (
        "samples.json",
        {"samples.json": {"samples": [{}]}},
        ["samples[0].filepath"],
    ),
    "fiftyone: a box without a label": (
        "samples.json",
        {"samples.json": samples(("a.png", {"ground_truth": detections(None)}))},
        ["samples[0].ground_truth.detections[0].label"],
    ),
    "fiftyone: a number without a name": (
        "labels.json",
        {"labels.json": {"classes": ["ok"], "labels": {"a": 1}}},
        ["labels.a", "0 to 0"],
    ),
    "fiftyone: true": (
        "labels.json",
        {"labels.json": {"classes": ["ok", "crack"], "labels": {"a": True}}},
        ["labels.a", "True"],
    ),
    "label studio: JSON-MIN": (
        "x.json",
        {"x.json": [{"image": "a.png", "choice": "ok"}]},
        ["x.json, [0]", "JSON-MIN"],
    ),
    "label studio: no image": (
        "x.json",
        {"x.json": [{"data": {"text": "x"}}]},
        ["[0].data", "no image"],
    ),
    "label studio: several images": (
        "x.json",
        {"x.json": [{"data": {"l": "a.png", "r": "b.png"}}]},
        ["[0].data", "several images"],
    ),
    "label studio: one person, two answers": (
        "x.json",
        {"x.json": [task("a.png", "ok"), task("a.png", "crack")]},
        ["[1].annotations[0]", "[0].annotations[0]"],
    ),
    "unknown JSON": ("x.json", {"x.json": {"shapes": []}}, ["x.json", "COCO, FiftyOne"]),
    "two formats": (".", {"data.yaml": "names: [ok]", "annotations.xml": cvat()}, ["cvat|yolo"]),
    "nothing": ("x.json", {}, ["does not exist"]),
}
IDS = ("a.png", "b.png", "lot 1/c.png", "lot 2/c.png")


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_refused_by_one_line(tmp_path, store, case):
    place, files, told = CASES[case]
    write(tmp_path, files)
    known = {"ids": IDS, "hashes": {}, "classes": CLASSES, "rule": Rule()}
    with pytest.raises(UserError) as refusal:
        path = tmp_path / place
        import_foreign(store, READERS[format_of(path)](path), path, **known)
    line = str(refusal.value)
    assert "\n" not in line
    assert [part for part in told if part not in line] == []
    assert store.last() == 0
