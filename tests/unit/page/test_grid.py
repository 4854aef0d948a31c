"""Many images in one step: what a grid holds, what it never holds, and its undo."""

import uuid

import numpy as np
import pytest

from alvision.run_folder.overview import Overview

IDS = [f"worn/{i:02d}.png" for i in range(12)]
HELD_OUT = IDS[10:]


@pytest.fixture
def looked(tmp_path):
    """Return a function that writes what the model expects of images, the surest first."""

    def write(**expected):
        rows = [(id, name) for name, ids in expected.items() for id in ids]
        shares = np.linspace(0.9, 0.5, len(rows), dtype=np.float32)
        places = np.array([[int(id[5:7])] for id, _ in rows], np.float32)
        ids, names = zip(*rows, strict=True)
        Overview(ids, (None,) * len(ids), names, shares, places).write(tmp_path / "run")

    return write


def grid(page, by="ann", **params):
    found = page.read("/api/grid", by=by, **params)
    return found, [page.id(item["id"]) for item in found["items"]]


def say_all(page, items, label="ok", by="ann", **more):
    """Answer images as the page's one key does."""
    name = str(uuid.uuid4())
    events = [
        {
            "uuid": str(uuid.uuid4()), "id": item["id"], "sha256": item["sha256"], "kind": "label",
            "label": label, "seconds": 0.25, "grid": name, **more,
        }
        for item in items
    ]  # fmt: skip
    return page.tell("/api/answers", by=by, events=events), [event["uuid"] for event in events]


def test_the_batch_comes_first_then_the_ranking_then_what_the_model_is_surest_of(page, ask, looked):
    ask(IDS[3], ranking=[IDS[5]])
    looked(ok=[IDS[1], IDS[3], IDS[0], IDS[5]], worn=[IDS[2]])
    found, ids = grid(page, label="ok")
    assert ids == [IDS[3], IDS[5], IDS[1], IDS[0]]
    assert found["classes"] == [{"name": "ok", "images": 4}, {"name": "worn", "images": 1}]


def test_without_a_class_it_is_the_one_with_the_most_images(page, ask, looked):
    ask(IDS[3])
    looked(ok=[IDS[3]], worn=[IDS[2], IDS[4]])
    found, ids = grid(page)
    assert (found["label"], ids) == ("worn", [IDS[2], IDS[4]])


def test_no_image_that_is_asked_blind_is_ever_in_it(page, ask, looked):
    page.say(page.address(IDS[7]), "worn", by="bob")
    page.say(page.address(IDS[7]), "ok", by="eve")
    ask(IDS[3], audit=[IDS[10]], ranking=[(IDS[4], "gold"), (IDS[6], "relabel")])
    looked(ok=[*HELD_OUT, IDS[4], IDS[6], IDS[7], IDS[3]])
    assert grid(page, label="ok")[1] == [IDS[3]]
    assert grid(page, like=page.address(IDS[3]))[1] == [IDS[3]]
    for blind in (IDS[10], IDS[4]):
        answer = page.get("/api/grid", params={"by": "ann", "like": page.address(blind)})
        assert answer.status_code == 400
        (item,) = [{"id": page.address(blind), "sha256": page.page.state.hash_of(blind)}]
        told, _ = say_all(page, [item])
        assert "answered by itself" in told["refused"][0]["error"]


def test_like_an_image_gives_it_and_the_nearest_unlabelled_ones(page, ask, looked):
    ask(IDS[3])
    looked(ok=IDS[:5], worn=IDS[5:10])
    page.say(page.address(IDS[4]))
    found, ids = grid(page, like=page.address(IDS[6]), n=4)
    assert ids == [IDS[6], IDS[5], IDS[7], IDS[8]]
    assert found["label"] is None and found["classes"] == []


def test_two_people_never_get_the_same_images(page, ask, looked):
    ask(IDS[0])
    looked(ok=IDS[:8])
    _, anns = grid(page, "ann", n=4)
    _, bobs = grid(page, "bob", n=8)
    assert len(anns) == len(bobs) == 4 and not set(anns) & set(bobs)
    assert grid(page, "ann", n=4)[1] == anns
    assert grid(page, "eve")[0]["message"] is not None


def test_what_the_page_holds_may_come_in_the_grid_and_stays_its_own(page, ask, looked):
    ask(*IDS[:4])
    looked(ok=IDS[:6])
    hand = [item["id"] for item in page.items(n=3)]
    _, ids = grid(page, n=2, held=",".join(hand))
    assert ids == IDS[:2]
    others = [page.id(item["id"]) for item in page.items("bob", n=9)]
    assert not {*ids, *map(page.id, hand)} & set(others)


def test_an_exception_is_not_in_the_next_grid_but_stays_with_the_person(page, ask, looked):
    ask(IDS[0])
    looked(ok=IDS[:4])
    _, ids = grid(page, without=page.address(IDS[1]))
    assert ids == [IDS[0], IDS[2], IDS[3]]
    assert IDS[1] not in [page.id(item["id"]) for item in page.items("bob", n=9)]


def test_each_image_gets_an_answer_of_its_own_that_names_its_grid(page, ask, looked, store):
    ask(IDS[0])
    looked(ok=IDS[:3])
    found, ids = grid(page)
    told, uuids = say_all(page, found["items"])
    assert told["stored"] == uuids
    events = store.events()
    assert [(event.id, event.label, event.seconds) for event in events] == [
        (id, "ok", 0.25) for id in ids
    ]
    assert len({event.uuid for event in events}) == 3 and all(event.time for event in events)
    assert len({event.note for event in events}) == 1 and events[0].note.startswith("grid ")
    assert grid(page)[0]["items"] == []


def test_after_a_restart_the_last_answer_names_all_of_its_grid(make_page, ask, looked, store):
    page = make_page()
    ask(IDS[0])
    looked(ok=IDS[:4])
    page.say(page.address(IDS[9]))
    _, uuids = say_all(page, grid(page, n=3)[0]["items"])
    last = make_page().read("/api/last", by="ann")
    assert {last["uuid"], *last["together"]} == set(uuids)
    undos = [
        {"uuid": str(uuid.uuid4()), "kind": "undo", "target": target}
        for target in (last["uuid"], *last["together"])
    ]
    assert page.tell("/api/answers", by="ann", events=undos)["refused"] == []
    assert page.state()["labels"] == 1
    assert make_page().read("/api/last", by="ann")["together"] == []


def test_a_second_person_may_answer_what_one_has_answered_if_two_shall(make_page, ask, looked):
    page = make_page(votes=2)
    ask(IDS[0], IDS[1])
    looked(ok=IDS[:3])
    page.say(page.address(IDS[0]), by="bob")
    page.say(page.address(IDS[2]), by="bob")
    assert grid(page, "ann")[1] == [IDS[0], IDS[1]]
    assert grid(page, "bob")[1] == [IDS[1]]


def test_where_opinions_are_hidden_or_missing_the_reason_is_said(make_page, page, ask):
    assert "has not learned yet" in grid(page)[0]["message"]
    answer = make_page(blind=True).get("/api/grid", params={"by": "ann"})
    assert answer.status_code == 400 and "page.blind" in answer.json()["error"]
    assert page.get("/api/grid", params={"by": "ann", "label": "rust"}).status_code == 400
