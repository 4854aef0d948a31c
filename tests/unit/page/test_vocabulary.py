"""Classes, the label book and disputes."""

import uuid

import pytest

pytestmark = pytest.mark.slow

IDS = [f"worn/{i:02d}.png" for i in range(12)]


def new():
    return str(uuid.uuid4())


def test_the_first_page_asks_for_the_classes(make_page, store):
    page = make_page(classes=(), defects=())
    assert page.state()["setup"]
    told = page.tell("/api/setup", by="ann", classes=["ok", "größer als 2 mm"], defects=["ok"])
    assert told["classes"] == [
        {"name": "ok", "shown": "ok", "defect": True},
        {"name": "größer als 2 mm", "shown": "größer als 2 mm", "defect": False},
    ]
    assert not page.state()["setup"]
    page.tell("/api/setup", by="bo", classes=["a", "b"], status=409)
    assert not make_page(classes=()).state()["setup"]


def test_names_that_cannot_be_classes_are_refused(make_page):
    page = make_page(classes=())
    for classes in (["ok"], ["ok", "ok"], ["ok", "skip"], ["ok", " "]):
        page.tell("/api/setup", by="ann", classes=classes, status=400)
    assert page.state()["setup"]


def test_a_class_is_added_renamed_and_merged_in_the_middle(page):
    word = new()
    for _ in range(2):  # the answer to the first may have been lost
        page.tell("/api/classes", by="ann", uuid=word, action="add", name="dent", defect=True)
    page.tell("/api/classes", by="ann", uuid=new(), action="rename", name="worn", to="abraded")
    assert page.state()["classes"] == [
        {"name": "ok", "shown": "ok", "defect": False},
        {"name": "worn", "shown": "abraded", "defect": True},
        {"name": "dent", "shown": "dent", "defect": True},
    ]
    page.say(page.address(IDS[0]), "dent")
    page.tell("/api/classes", by="ann", uuid=new(), action="merge", name="dent", to="worn")
    assert [one["name"] for one in page.state()["classes"]] == ["ok", "worn"]
    assert page.page.state.ledger.settled[IDS[0]].label == "worn"
    for body in (
        {"action": "add", "name": "abraded"},
        {"action": "rename", "name": "ok", "to": "abraded"},
        {"action": "rename", "name": "nothing", "to": "x"},
        {"action": "merge", "name": "ok", "to": "worn"},
    ):
        assert page.post("/api/classes", json={"by": "ann", "uuid": new(), **body}).status_code in (
            400,
            409,
        )


def test_a_class_becomes_a_defect_and_stops_being_one(page, make_page, store):
    def marked(name, defect):
        told = page.tell(
            "/api/classes", by="ann", uuid=new(), action="mark", name=name, defect=defect
        )
        return [one["name"] for one in told["classes"] if one["defect"]]

    assert marked("ok", True) == ["ok", "worn"]
    assert marked("worn", False) == ["ok"]
    assert [one["defect"] for one in make_page().state()["classes"]] == [True, False]
    assert marked("ok", False) == []
    body = {"by": "ann", "uuid": new(), "action": "mark", "name": "none", "defect": True}
    page.tell("/api/classes", status=400, **body)
    assert all(event.time for event in store.events())


def test_the_book_is_versioned_and_an_answer_knows_its_version(page, store):
    page.tell("/api/book", by="ann", uuid=new(), base=0, name="worn",
              rule="scratches\nabove 2 mm", example=[page.address(IDS[0])])  # fmt: skip
    book = page.read("/api/book")
    assert book["version"] == page.state()["book_version"] == 1
    assert book["classes"][1] == {
        "name": "worn", "rule": "scratches\nabove 2 mm",
        "example": [page.address(IDS[0])], "counter": [], "borderline": [],
    }  # fmt: skip
    page.tell("/api/book", by="bo", uuid=new(), base=0, name="worn", rule="x", status=409)
    page.say(page.address(IDS[1]), book_version=1)
    assert store.events()[-1].book == 1


def test_a_conflict_shows_what_the_model_had_said_before_the_answers(make_page, ask):
    said = {"probabilities": {"ok": 0.3, "worn": 0.7}, "neighbours": [], "heatmap": "a.png"}
    ask(IDS[0], opinions={IDS[0]: said})
    ask(IDS[1], round=1, opinions={})
    page = make_page(votes=2)
    page.say(page.address(IDS[0]), "ok", by="ann")
    page.say(page.address(IDS[0]), "worn", by="bo")
    (conflict,) = page.read("/api/conflicts")["conflicts"]
    assert conflict["probabilities"] == [["worn", 0.7], ["ok", 0.3]]
    assert conflict["heatmap"] is False  # that picture was of an earlier round


def test_a_conflict_shows_both_answers_and_is_settled_above_them(make_page):
    page = make_page(votes=2)
    page.say(page.address(IDS[0]), "ok", by="ann")
    page.say(page.address(IDS[0]), "worn", by="bo")
    (conflict,) = page.read("/api/conflicts")["conflicts"]
    assert [(vote["by"], vote["label"]) for vote in conflict["votes"]] == [
        ("ann", "ok"),
        ("bo", "worn"),
    ]
    page.tell("/api/settle", by="eve", uuid=new(), id=conflict["id"], label="ok")
    assert page.read("/api/conflicts") == {"conflicts": []}
    settled = page.page.state.ledger.settled[IDS[0]]
    assert (settled.label, settled.votes) == ("ok", {"ann": "ok", "bo": "worn"})
