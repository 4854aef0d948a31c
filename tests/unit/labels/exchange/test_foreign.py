import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.labels.consensus import consensus, standing
from alvision.labels.exchange.foreign import Finder, ForeignImage, Rule, import_foreign
from tests.support.foreign import CLASSES

IDS = ("a.png", "b.jpg", "lot 1/c.png", "lot 2/c.png", "lot 2/ü.png")
HASHES = {id: f"{number:x}" * 64 for number, id in enumerate(IDS, 10)}


def image(name, *classes, **more):
    return ForeignImage(name, classes, f"file, {name}", **more)


def find(name, **more):
    return Finder(IDS, HASHES).find(image(name, **more))


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("a.png", "a.png"),
        ("images/train/a.png", "a.png"),
        (r".\parts\a.png", "a.png"),
        ("lot 2/c.png", "lot 2/c.png"),
        ("/data/lot 1/c.png", "lot 1/c.png"),
        ("u\u0308.png", "lot 2/ü.png"),
        ("images/b", "b.jpg"),
        ("0123abcd-a.png", "a.png"),
        ("a" * 16 + ".png", "a.png"),
        ("images/0123abcd-" + "b" * 16 + ".png", "b.jpg"),
        ("lot 3/c.png", None),
        ("a.jpg", None),
        ("xa.png", None),
        ("", None),
    ],
)
def test_an_image_is_found_by_its_path(name, id):
    assert find(name) == id


def test_bytes_go_above_the_name():
    assert find("a.png", sha256="b" * 64) == "b.jpg"
    assert find("a.png", sha256="9" * 64) is None


def test_a_name_that_fits_two_images_is_refused():
    with pytest.raises(UserError, match=r"file, c.png: 'c.png' may be 'lot 1/c.png' or 'lot 2/c"):
        find("c.png")
    with pytest.raises(UserError, match="may be"):
        Finder(["a.png", "a.jpg"], {}).find(image("labels/a"))


PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(st.sets(PARTS, min_size=1, max_size=6), PARTS)
def test_what_is_found_is_the_end_of_the_name_or_has_it_as_its_end(ids, name):
    ends = {id for id in ids if f"/{id}".endswith(f"/{name}") or f"/{name}".endswith(f"/{id}")}
    try:
        found = Finder(ids, {}).find(image(name))
    except UserError:
        assert len(ends) > 1
    else:
        assert (found in ends) if ends else (found is None)


def test_boxes_become_one_class():
    rule = Rule(none="OK", several=("Crack", "scratch")).checked(CLASSES)
    assert rule == Rule("ok", ("crack", "scratch"))
    assert rule.label(image("a", "scratch", "crack", "scratch"), CLASSES) == "crack"
    assert rule.label(image("a", "scratch", "Scratch"), CLASSES) == "scratch"
    assert rule.label(image("a"), CLASSES) == "ok"
    assert Rule().label(image("a"), CLASSES) is None
    assert Rule().label(image("a", "unsure"), CLASSES) == "unsure"


@pytest.mark.parametrize(
    ("rule", "classes", "told"),
    [
        (Rule(), ("crack", "ok"), "file, a.png: 'a.png' has several classes (crack, ok)"),
        (Rule(several=("scratch",)), ("crack", "ok"), "several classes"),
        (Rule(), ("dent",), "file, a.png: 'dent' is not one of"),
        (Rule(none="fine"), (), "none=: 'fine' is not one of"),
        (Rule(several=("dent",)), (), "several=: 'dent' is not one of"),
    ],
)
def test_what_has_no_rule_is_refused(rule, classes, told):
    with pytest.raises(UserError) as refusal:
        rule.checked(CLASSES).label(image("a.png", *classes), CLASSES)
    assert told in str(refusal.value)


def bring(store, *images, **more):
    known = {"ids": IDS, "hashes": HASHES, "classes": CLASSES, "rule": Rule()} | more
    return import_foreign(store, images, "file", **known)


def test_known_labels_are_imported_once(store):
    images = image("a.png", "crack"), image("b.jpg", "ok", by="bert"), image("lot 1/c.png")
    assert str(bring(store, *images)) == "2 added, 0 known already, 1 without a label"
    assert str(bring(store, *images)) == "0 added, 2 known already, 1 without a label"
    assert {id: one.label for id, one in consensus(store.events()).items()} == {
        "a.png": "crack",
        "b.jpg": "ok",
    }
    assert [(e.kind, e.by) for e in store.events()] == [("import", "import"), ("import", "bert")]


def test_an_answer_to_a_round_is_a_vote_and_may_change_and_come_back(store):
    for label in ("crack", "ok", "crack", "unsure", "crack"):
        counts = bring(store, image("a.png", label), by="anna", asked={"a.png": 3})
        assert counts.added == 1
        assert bring(store, image("a.png", label), by="anna", asked={"a.png": 3}).added == 0
    (last,) = standing(store.events())["a.png"]
    assert (last.kind, last.label, last.by, last.round) == ("label", "crack", "anna", 3)
    assert last.sha256 == HASHES["a.png"]
    assert bring(store, image("a.png", "skip"), image("b.jpg", "ok"), asked={"a.png": 3}).added == 2
    assert [event.kind for event in store.events()[-2:]] == ["skip", "import"]


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ((image("a.png", "ok"), image("x/a.png", "crack")), "a.png is 'crack' here and 'ok' at"),
        ((image("z.png", "ok"), image("a.png", "ok")), "1 images of file are not in data.root"),
        ((), "file names no image"),
    ],
)
def test_a_contradiction_imports_nothing(store, images, told):
    with pytest.raises(UserError) as refusal:
        bring(store, *images)
    assert told in str(refusal.value)
    assert store.last() == 0
