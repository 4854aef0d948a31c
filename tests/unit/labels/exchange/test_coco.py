import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.labels.boxes import Box, boxes
from alvision.labels.consensus import consensus
from alvision.labels.exchange import coco as coco_file
from alvision.labels.exchange.foreign import ForeignImage, Rule, import_foreign
from alvision.labels.exchange.read_json import Node
from tests.support.foreign import coco

CLASSES = ["ok", "crack", "scratch"]
SIDES = st.integers(1, 5000)
BOXES = st.builds(Box, st.integers(0, 5000), st.integers(0, 5000), SIDES, SIDES)


def read(content, path):
    return coco_file.read(Node(path, "", content))


@given(st.dictionaries(st.sampled_from(["a.png", "b.png"]), st.lists(BOXES, max_size=3)))
def test_boxes_go_out_and_come_back(tmp_path_factory, drawn):
    labels = {"a.png": "crack", "b.png": "scratch"}
    sizes = dict.fromkeys(labels, (6000, 6000))
    content = json.loads(json.dumps(coco_file.content(labels, sizes, CLASSES, drawn)))
    found = read(content, tmp_path_factory.getbasetemp() / "x.json")
    assert {one.name: [box for _, box in one.boxes] for one in found} == {
        id: drawn.get(id, []) for id in labels
    }
    assert {one.name: Rule().label(one, CLASSES) for one in found} == labels


def test_the_boxes_of_the_class_that_counts_are_kept_with_the_label(store, tmp_path):
    both = coco(boxes=(("a.png", "crack"), ("a.png", "scratch"), ("a.png", "crack")))
    both["annotations"][2]["bbox"] = [10.6, 20, 0.2, 5.0]
    images = read(both, tmp_path / "x.json")
    known = {"ids": ["a.png"], "hashes": {}, "classes": CLASSES}
    for added in (1, 0):
        counts = import_foreign(
            store, images, tmp_path / "x.json", rule=Rule(several=("crack",)), **known
        )
        assert counts.added == added
    events = store.events()
    assert consensus(events)["a.png"].label == "crack"
    assert boxes(events) == {"a.png": (Box(1, 2, 3, 4), Box(10, 20, 1, 5))}


def test_boxes_of_an_image_whose_class_is_known_are_added_once(store, tmp_path):
    known = {"ids": ["a.png"], "hashes": {}, "classes": CLASSES, "rule": Rule()}
    file = tmp_path / "x.json"
    import_foreign(store, [ForeignImage("a.png", ("crack",), "a row")], file, **known)
    drawn = coco(("a.png",), (("a.png", "crack"),))
    drawn["annotations"][0]["bbox"] = [-0.4, 2, 3, 4]  # sticks out by a rounding error
    for _ in range(2):
        counts = import_foreign(store, read(drawn, file), file, **known)
        assert (counts.added, counts.known) == (0, 1)
        assert boxes(store.events()) == {"a.png": (Box(0, 2, 3, 4),)}


@pytest.mark.parametrize(
    "bbox", [[1, 2, 3], ["1", 2, 3, 4], [-2, 2, 3, 4], [1, 2, -1, 4], [1, 2, 3, 1e9], "box"]
)
def test_what_is_no_box_is_named(tmp_path, bbox):
    wrong = coco()
    wrong["annotations"][0]["bbox"] = bbox
    with pytest.raises(UserError, match=r"annotations\[0\].bbox"):
        read(wrong, tmp_path / "x.json")
