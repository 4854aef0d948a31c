"""Getting images and answering them."""

import hashlib
import uuid
from datetime import UTC, datetime

import pytest

from alvision.labels.consensus import consensus
from alvision.page.assignment import Assignment
from alvision.page.state import Images
from alvision.run_folder.reading import FILE

IDS = [f"worn/{i:02d}.png" for i in range(12)]
OPINION = {
    "probabilities": {"ok": 0.55, "worn": 0.45},
    "neighbours": [["worn/07.png", "worn"]],
    "heatmap": "a.png",
}


def test_the_first_image_is_there_before_any_round(page):
    first = page.items(n=1)[0]
    assert first["reason"] == "drawn at random" or first["blind"]
    assert page.state()["phase"] == "features"
    assert "worn" not in str(first)


def test_how_long_random_images_are_shown_is_told_until_the_first_round_asks(page, ask):
    root = page.page.state.context.root
    assert page.state()["minutes_to_features"] is None
    root.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text('{"done": 100, "total": 1300, "seconds": 20}')
    assert page.state()["minutes_to_features"] == 4
    ask(0, IDS[:3])
    assert page.state()["minutes_to_features"] is None


@pytest.mark.slow
def test_every_image_is_asked_once_and_then_nothing_is(page):
    seen = []
    while items := page.items(n=5):
        for item in items:
            seen.append(page.id(item["id"]))
            page.say(item["id"])
    assert sorted(seen) == IDS
    assert page.read("/api/next", by="ann")["message"] == "every image has been answered"
    assert page.state()["labels"] == page.state()["mine"] == 12


def test_the_batch_comes_first_then_the_ranking_then_chance(page, ask):
    ask(IDS[3], IDS[1], ranking=[IDS[5], IDS[2]])
    order = []
    for _ in range(5):
        item = page.items(n=1)[0]
        order.append(page.id(item["id"]))
        page.say(item["id"])
    assert order[:4] == [IDS[3], IDS[1], IDS[5], IDS[2]]
    assert order[4] not in order[:4]


def test_answers_are_in_the_store_when_the_request_ends(page, store):
    item = page.items(n=1)[0]
    page.say(item["id"], "worn", seconds=2.5, book_version=0)
    (event,) = store.events()
    assert (event.id, event.label, event.by, event.seconds, event.book) == (
        page.id(item["id"]), "worn", "ann", 2.5, 0,
    )  # fmt: skip
    assert len(event.sha256) == 64


def test_the_same_answer_twice_is_one(page, store):
    item = page.items(n=1)[0]
    word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label", "label": "ok"}
    for _ in range(2):
        told = page.tell("/api/answers", by="ann", events=[word, word])
        assert set(told["stored"]) == {word["uuid"]}
    assert len(store.events()) == 1


@pytest.mark.slow
def test_one_bad_answer_does_not_take_the_others_along(page, store):
    first, second = page.items(n=2)
    words = [
        {"uuid": str(uuid.uuid4()), "id": first["id"], "kind": "label", "label": "no class"},
        {"uuid": str(uuid.uuid4()), "id": second["id"], "kind": "label", "label": "ok"},
        {"uuid": str(uuid.uuid4()), "id": "0" * 24, "kind": "skip"},
    ]
    told = page.tell("/api/answers", by="ann", events=words)
    assert told["stored"] == [words[1]["uuid"]]
    assert [one["error"] for one in told["refused"]] == [
        "'no class' is not a class",
        "this image is not in the data",
    ]
    assert [one["status"] for one in told["refused"]] == [400, 410]
    assert len(store.events()) == 1


@pytest.mark.slow
def test_undo_goes_back_over_a_restart(page, make_page, store):
    given = []
    for item in page.items(n=4):
        given.append((item["id"], page.say(item["id"], "worn")))
    again = make_page()
    while given:
        last = again.read("/api/last", by="ann")
        address, word = given.pop()
        assert (last["uuid"], last["item"]["id"], last["label"]) == (word, address, "worn")
        again.say(address, kind="undo", target=word)
    assert again.read("/api/last", by="ann") is None
    assert consensus(store.events()) == {}
    assert again.state()["labels"] == 0
    assert len(again.items(n=12)) == 12


@pytest.mark.slow
def test_nobody_takes_back_what_another_said(page):
    item = page.items(n=1)[0]
    word = page.say(item["id"])
    undo = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "undo", "target": word}
    told = page.tell("/api/answers", by="bo", events=[undo])
    assert told["refused"][0]["error"] == "only ann can take this back"


def test_a_killed_server_goes_on_where_it_was(page, make_page, ask):
    ask(*IDS[:4])
    for item in page.items(n=2):
        page.say(item["id"])
    held = [item["id"] for item in page.items(n=2)]
    again = make_page()
    assert [item["id"] for item in again.items(n=0, held=held)] == []
    assert [page.id(address) for address in held] == IDS[2:4]
    again.say(held[0])
    assert again.state()["batch"] == {"round": 0, "done": 3, "size": 4}
    assert again.items(n=1, held=held[1:])[0]["slot"] in ("random", "blind")


def test_two_people_never_hold_one_image(page, ask):
    ask(*IDS[:6])
    mine = {item["id"] for item in page.items("ann", n=3)}
    yours = {item["id"] for item in page.items("bo", n=3)}
    assert len(mine | yours) == 6


@pytest.mark.slow
def test_with_two_votes_both_are_asked(make_page, ask):
    page = make_page(votes=2)
    ask(IDS[0])
    assert page.id(page.items("ann", n=1)[0]["id"]) == IDS[0]
    assert page.id(page.items("bo", n=1)[0]["id"]) == IDS[0]
    page.say(page.address(IDS[0]), "ok", by="ann")
    assert page.state()["batch"]["done"] == 0
    page.say(page.address(IDS[0]), "worn", by="bo")
    state = page.state()
    assert state["batch"]["done"] == 1
    assert state["conflicts"] == 1


@pytest.mark.parametrize("blind", [False, True])
def test_what_the_model_says_stands_beside_the_image(make_page, ask, blind):
    page = make_page(blind=blind)
    folder = ask(IDS[0], opinions={IDS[0]: OPINION})
    assert page.items(n=1)[0]["heatmap"] is False  # it is not drawn yet
    (folder / "heatmaps").mkdir()
    (folder / "heatmaps" / "a.png").write_bytes(b"\x89PNG")
    item = page.items(n=1)[0]
    told = page.tell(
        "/api/answers", by="ann",
        events=[{"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label", "label": "ok"}],
    )["opinions"]  # fmt: skip
    if blind:
        assert (item["probabilities"], item["neighbours"], item["reason"]) == (None, None, None)
        item = told[0]
    else:
        assert told == []
    assert item["probabilities"] == [["ok", 0.55], ["worn", 0.45]]
    assert item["neighbours"] == [
        {"id": page.address("worn/07.png"), "label": "worn", "snippet": None}
    ]
    assert item["reason"] == "between ok and worn"
    assert item["heatmap"] is True


@pytest.mark.parametrize("blind", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_audit_and_gold_say_nothing_of_the_model_ever(make_page, ask, blind):
    page = make_page(blind=blind)
    folder = ask(audit=["worn/10.png"], ranking=[(IDS[4], "gold")],
                 opinions={"worn/10.png": OPINION, IDS[4]: OPINION})  # fmt: skip
    (folder / "heatmaps").mkdir()
    (folder / "heatmaps" / "a.png").write_bytes(b"\x89PNG")
    for expected in ("worn/10.png", IDS[4]):
        item = page.items(n=1)[0]
        assert page.id(item["id"]) == expected
        assert item["slot"] == "blind"
        assert item["blind"]
        assert (item["probabilities"], item["neighbours"], item["heatmap"]) == (None, None, False)
        word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label", "label": "ok"}
        assert page.tell("/api/answers", by="ann", events=[word])["opinions"] == []
    assert page.get(f"/heatmap/{page.address('worn/10.png')}").status_code == 404


@pytest.mark.parametrize("slot", ["gold", "relabel"])
def test_a_batch_waits_for_another_answer_to_what_is_asked_again(make_page, ask, store, slot):
    page = make_page()
    ask(IDS[0], IDS[1])
    for id in (IDS[0], IDS[1]):
        page.say(page.address(id), "ok")
    ask(IDS[2], again=[(IDS[0], slot)], round=1)
    batch = {page.id(item["id"]) for item in page.items(n=2)}
    assert batch == {IDS[2], IDS[0]}
    assert page.state()["batch"] == {"round": 1, "done": 0, "size": 2}
    page.say(page.address(IDS[2]), "ok")
    page.say(page.address(IDS[0]), "worn", round=1)
    assert page.state()["batch"]["done"] == 2
    assert [event.label for event in store.events() if event.id == IDS[0]] == ["ok", "worn"]
    assert IDS[0] not in {page.id(item["id"]) for item in page.items(n=3)}


@pytest.mark.slow
def test_experts_get_first_what_others_were_unsure_of(make_page, ask):
    page = make_page(experts=("eve",))
    ask(IDS[0], IDS[1], IDS[2])
    page.say(page.address(IDS[7]), by="ann", kind="unsure")
    assert page.id(page.items("eve", n=1)[0]["id"]) == IDS[7]
    assert page.id(page.items("bo", n=1)[0]["id"]) == IDS[0]


def test_while_an_expert_is_here_everybody_else_gets_disputed_images_last(make_page, ask):
    page = make_page(experts=("eve",), votes=2)
    ask(IDS[0], IDS[1])
    page.say(page.address(IDS[0]), by="ann", kind="unsure")
    assert page.id(page.items("bo", n=1)[0]["id"]) == IDS[0]
    page.state("eve")
    again = make_page(experts=("eve",), votes=2)
    assert again.id(again.items("cleo", n=1)[0]["id"]) == IDS[1]


@pytest.mark.slow
def test_who_brings_labels_gets_the_audit_before_the_first_round(make_page, page):
    page.say(page.address(IDS[0]))
    again = make_page(initial=1)
    assert {again.id(item["id"]) for item in again.items(n=2)} == {"worn/10.png", "worn/11.png"}


def test_train_now_closes_the_batch(page, ask, store):
    page.tell("/api/close", by="ann", uuid=str(uuid.uuid4()), status=409)
    ask(*IDS[:2], round=0)
    word = str(uuid.uuid4())
    for _ in range(2):
        assert page.tell("/api/close", by="ann", uuid=word) == {"stored": [word]}
    (event,) = store.events()
    assert (event.kind, event.round) == ("close", 0)


def test_looking_at_candidates_changes_nothing(page):
    assignment = Assignment(page.page.state)
    first = page.items(n=1)[0]["id"]
    answer = page.say(first)
    page.items(n=1)  # moves past the answered image
    page.say(first, kind="undo", target=answer)
    with page.page.state.lock:
        page.page.state.refresh()
        looks = [list(assignment._candidates("bo")) for _ in range(3)]
    assert looks[0] == looks[1] == looks[2]
    assert page.state()["labels"] == 0
    assert first in {item["id"] for item in page.items("bo", n=12)}


def test_answers_keep_when_they_were_given(page, store):
    first, second = page.items(n=2)
    page.say(first["id"], seconds_ago=3600.0)
    page.say(second["id"])
    page.tell("/api/classes", by="ann", uuid=str(uuid.uuid4()), action="add", name="bent")
    before, *later = (datetime.fromisoformat(event.time) for event in store.events())
    now = datetime.now(UTC)
    assert abs((now - before).total_seconds() - 3600) < 60
    assert all(abs((now - time).total_seconds()) < 60 for time in later)


def test_exact_copies_are_asked_once_and_share_one_class(make_page, photos, store):
    copies = {id: path.read_bytes() for id, path in photos.items()}
    photos[IDS[4]].write_bytes(copies[IDS[2]])
    page = make_page()
    hashes = {id: hashlib.sha256(path.read_bytes()).hexdigest() for id, path in photos.items()}
    page.page.state.relist(Images(photos, page.page.state.context.held_out, hashes))
    asked = [page.id(item["id"]) for item in page.items(n=24)]
    assert len(asked) == 11
    assert len({IDS[2], IDS[4]} & set(asked)) == 1
    page.say(page.address(IDS[4]), "worn", by="bert")
    assert not {IDS[2], IDS[4]} & {page.id(item["id"]) for item in page.items(n=24)}
    page.say(page.address(IDS[2]), "ok", by="ann")
    state = page.state()
    assert (state["labels"], state["conflicts"]) == (1, 1)
    (conflict,) = page.read("/api/conflicts")["conflicts"]
    assert [vote["by"] for vote in conflict["votes"]] == ["bert", "ann"]


def test_the_reply_to_an_answer_counts_as_the_page_does(page, ask):
    ask(IDS[3], IDS[1], ranking=[IDS[5]])
    counted = ("images", "answered", "labels", "held_out", "mine", "seconds", "conflicts", "batch")

    def tell(address, **word):
        seen = page.page.state.hash_of(page.id(address)) if address else None
        word = {"uuid": str(uuid.uuid4()), "id": address, "sha256": seen, **word}
        reply = page.tell("/api/answers", by="ann", events=[word])
        state = page.state()
        assert reply["counts"] == {name: state[name] for name in counted}
        images = [state[name] for name in ("answered", "labels", "mine")]
        return word["uuid"], images, (state["batch"]["done"], state["batch"]["size"])

    page.items(n=24)
    spare = page.address(IDS[5])  # an answer outside the batch is no progress of the batch
    assert tell(spare, kind="label", label="ok")[1:] == ([1, 1, 1], (0, 2))
    last, *rest = tell(page.address(IDS[3]), kind="unsure")
    assert rest == [[2, 1, 2], (1, 2)]
    assert tell(None, kind="undo", target=last)[1:] == ([1, 1, 1], (0, 2))
