"""Photographs that are replaced, moved, removed or added while the page is open."""

import hashlib
import io
import json
import os
import shutil
import uuid
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from alvision.core.records import Query, QueryRow
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page.state import Images
from alvision.run_folder.round_files import QueryFile

IDS = [f"worn/{i:02d}.png" for i in range(12)]
RED, GREEN = (255, 0, 0), (0, 255, 0)


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def retake(path, colour=RED):
    """Put another photograph under a name; return the hash of the one that was there."""
    before = sha(path)
    Image.new("RGB", (12, 12), colour).save(path)
    return before


def relist(page, paths):
    """Let the page go on with the files of now, as the server's thread does."""
    hashes = {id: sha(path) for id, path in paths.items()}
    page.page.state.relist(Images(paths, frozenset(IDS[10:]), hashes))


def colour(answer):
    """Return the middle pixel of a picture."""
    return Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((6, 6))


def picture(page, item):
    return page.get(f"/image/{item['id']}", params={"sha256": item["sha256"]})


def test_an_answer_is_about_the_picture_that_was_shown(page, photos, store):
    item = page.items(n=1)[0]
    old = picture(page, item)
    before = retake(photos[page.id(item["id"])])
    assert item["sha256"] == before
    assert picture(page, item).content == old.content
    page.say(item["id"], "worn", sha256=item["sha256"])
    assert store.events()[-1].sha256 == before


def test_the_new_picture_is_asked_for_and_shown_as_another(page, photos, ask):
    relist(page, photos)
    ask(IDS[3])
    item = page.items(n=1)[0]
    page.say(item["id"], "worn", sha256=item["sha256"])
    retake(photos[IDS[3]])
    relist(page, photos)
    assert page.state()["labels"] == 0
    again = page.items(n=12)
    new = next(one for one in again if one["id"] == item["id"])
    assert new["sha256"] != item["sha256"]
    assert max(abs(a - b) for a, b in zip(colour(picture(page, new)), RED, strict=True)) < 3
    page.say(new["id"], "ok", sha256=new["sha256"])
    assert page.state()["labels"] == 1
    assert new["id"] not in [one["id"] for one in page.items(n=12)]


def test_what_is_replaced_between_two_listings_is_noticed_when_it_is_given(page, photos):
    relist(page, photos)
    first = {one["id"]: one for one in page.items(n=12)}
    address = page.address(IDS[0])
    page.say(address, "worn", sha256=first[address]["sha256"])
    retake(photos[IDS[1]])
    new = next(one for one in page.items(n=12) if one["id"] == page.address(IDS[1]))
    page.say(new["id"], "ok", sha256=new["sha256"])
    assert page.state()["labels"] == 2


def test_a_deleted_file_leaves_its_hash_with_the_answer(page, photos, store):
    item = page.items(n=1)[0]
    path = photos[page.id(item["id"])]
    before = sha(path)
    path.unlink()
    page.say(item["id"], "worn", sha256=item["sha256"])
    assert store.events()[-1].sha256 == before
    assert item["id"] not in [one["id"] for one in page.items(n=12)]


def test_a_picture_that_is_nowhere_any_more_is_refused(page, photos, make_page):
    item = page.items(n=1)[0]
    retake(photos[page.id(item["id"])])
    answer = make_page().get(f"/image/{item['id']}", params={"sha256": item["sha256"]})
    assert (answer.status_code, answer.json()["error"]) == (
        410, "this photograph was replaced since it was given out",
    )  # fmt: skip


@pytest.mark.parametrize("size", ["full", "thumb"])
def test_an_address_without_the_bytes_is_asked_for_anew_each_time(page, photos, size):
    address = page.address(IDS[0])
    for _ in range(2):  # the second time from memory, where the file is old enough
        os.utime(photos[IDS[0]], (1e9, 1e9))
        first = page.get(f"/image/{address}", params={"size": size})
    assert first.headers["cache-control"] == "private, no-cache"
    same = page.get(
        f"/image/{address}", params={"size": size}, headers={"if-none-match": first.headers["etag"]}
    )
    assert (same.status_code, same.content) == (304, b"")
    retake(photos[IDS[0]])
    other = page.get(
        f"/image/{address}", params={"size": size}, headers={"if-none-match": first.headers["etag"]}
    )
    assert max(abs(a - b) for a, b in zip(colour(other), RED, strict=True)) < 3


def test_only_the_address_of_certain_bytes_is_kept_for_long(page):
    item = page.items(n=1)[0]
    assert "immutable" in picture(page, item).headers["cache-control"]


def bare(page, item, status=200):
    """Answer as a program of the version before does, which knows no sha256."""
    word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label", "label": "ok"}
    return page.tell("/api/answers", by="ann", events=[word], status=status)


def test_an_answer_of_an_older_program_counts_for_the_only_picture_given_out(page, photos, store):
    item = page.items(n=1)[0]
    before = retake(photos[page.id(item["id"])])
    assert bare(page, item)["refused"] == []
    assert store.events()[-1].sha256 == before


def test_an_answer_of_an_older_program_is_refused_where_it_may_be_about_two(page, photos, store):
    item = page.items(n=1)[0]
    retake(photos[page.id(item["id"])])
    assert page.items(n=12)
    (refused,) = bare(page, item)["refused"]
    assert "load the page again" in refused["error"]
    assert store.events() == ()


def test_an_answer_that_waited_finds_the_photograph_that_was_moved(page, photos, make_page, store):
    item = page.items(n=1)[0]
    id = page.id(item["id"])
    moved = photos[id].rename(photos[id].with_name("moved.png"))
    paths = {other: path for other, path in photos.items() if other != id}
    later = make_page(paths={**paths, "worn/moved.png": moved})
    relist(later, {**paths, "worn/moved.png": moved})
    later.say(item["id"], "worn", sha256=item["sha256"])
    assert (store.events()[-1].id, later.state()["labels"]) == ("worn/moved.png", 1)
    assert picture(later, item).status_code == 200


def test_a_settled_dispute_is_about_the_picture_that_was_shown(make_page, photos, store):
    page = make_page(votes=2)
    address = page.address(IDS[0])
    page.say(address, "ok", by="ann")
    page.say(address, "worn", by="bo")
    (conflict,) = page.read("/api/conflicts")["conflicts"]
    before = retake(photos[IDS[0]])
    page.tell(
        "/api/settle", by="eve", uuid=str(uuid.uuid4()), id=address, label="ok",
        sha256=conflict["sha256"],
    )  # fmt: skip
    assert (store.events()[-1].kind, store.events()[-1].sha256) == ("settle", before)


def test_an_undo_takes_back_an_answer_about_a_photograph_that_is_gone(page, photos, store):
    item = page.items(n=1)[0]
    given = page.say(item["id"], "worn", sha256=item["sha256"])
    photos[page.id(item["id"])].unlink()
    word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "undo", "target": given}
    assert page.tell("/api/answers", by="ann", events=[word])["refused"] == []
    assert page.state()["labels"] == 0


@pytest.fixture
def written(tmp_path, photos):
    """Write a round as a run does, with the bytes of its images."""
    hashes = {id: sha(path) for id, path in photos.items()}
    folder = tmp_path / "run" / "rounds" / "000"
    folder.mkdir(parents=True)

    def rows(*ids, slot="acquisition"):
        return tuple(
            QueryRow(id, rank, 0.5, slot, prediction="ok", reason="between", sha256=hashes[id])
            for rank, id in enumerate(ids)
        )

    said = {"probabilities": {"ok": 0.9, "worn": 0.1}, "heatmap": "a.png"}
    opinions = {IDS[0]: {**said, "neighbours": [[IDS[5], "ok"], [IDS[6], "worn"]]}, IDS[1]: said}
    opinions[IDS[1]]["neighbours"] = []
    content = {"images": opinions, "sha256": hashes}
    (folder / "opinions.json").write_text(json.dumps(content))
    QueryFile().write(Query(0, rows(IDS[3], IDS[4])), folder / "ranking.csv")
    QueryFile().write(Query(0, rows(IDS[0], IDS[1], IDS[2])), folder / "query.csv")
    held_out = tuple(IDS[10:])
    ClassProbabilities(
        held_out, ("ok", "worn"), np.array([[0.9, 0.1], [0.2, 0.8]]),
        tuple(hashes[id] for id in held_out),
    ).write(folder / "predictions.parquet")  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps({"labels": 4}))
    return folder


def test_a_batch_goes_on_without_what_is_gone_and_with_what_was_moved(
    page, photos, written, make_page
):
    photos[IDS[1]].unlink()
    moved = photos[IDS[2]].rename(photos[IDS[2]].with_name("z.png"))
    photos[IDS[3]].unlink()
    retake(photos[IDS[4]])
    now = {id: path for id, path in photos.items() if path.exists()} | {"worn/z.png": moved}
    later = make_page(paths=now)
    relist(later, now)
    assert later.state()["batch"] == {"round": 0, "done": 0, "size": 2}
    items = later.items(n=3)
    assert [later.id(item["id"]) for item in items[:2]] == [IDS[0], "worn/z.png"]
    assert items[2]["slot"] in ("random", "blind")  # the ranking's two are gone or another
    assert items[2]["probabilities"] is None


def test_a_page_starts_where_every_photograph_of_a_batch_is_gone(photos, written, make_page):
    now = {id: path for id, path in photos.items() if id not in IDS[:5]}
    later = make_page(paths=now)  # before the hashes are there: ids decide
    assert later.items(n=2)
    assert later.state()["batch"]["size"] == 0


def test_what_the_model_says_of_a_replaced_photograph_is_not_shown(photos, written, make_page):
    retake(photos[IDS[0]])
    page = make_page()
    items = {page.id(item["id"]): item for item in page.items(n=12)}
    assert items[IDS[0]]["probabilities"] is None  # noticed although nothing is hashed yet
    assert items[IDS[1]]["probabilities"] == [["ok", 0.9], ["worn", 0.1]]
    relist(page, photos)
    assert page.page.state.run.opinions.keys() == {IDS[1]}


def test_a_neighbour_that_was_replaced_stands_beside_nothing(page, photos, written):
    retake(photos[IDS[5]])
    relist(page, photos)
    near = page.page.state.run.opinions[IDS[0]].neighbours
    assert near == ((IDS[6], "worn"),)


def test_a_prediction_of_a_replaced_photograph_is_no_changed_one(page, photos, written):
    before = ClassProbabilities.read(written / "predictions.parquet")
    later = written.with_name("001")
    shutil.copytree(written, later)
    replace(before, values=before.values[:, ::-1]).write(later / "predictions.parquet")
    relist(page, photos)
    for id, label in ((IDS[10], "ok"), (IDS[11], "worn")):
        page.say(page.address(id), label)
    page.page.progress.update()
    assert page.state()["changed_count"] == 2
    retake(photos[IDS[10]])
    relist(page, photos)
    page.say(page.address(IDS[10]), "worn")
    page.page.progress.update()
    state = page.state()
    assert [one["item"] for one in state["changed"]] == [page.address(IDS[11])]
    assert state["changed_count"] == 1


def test_added_photographs_are_asked_for(page, photos):
    for item in page.items(n=12):
        page.say(item["id"])
    path = photos[IDS[0]].with_name("new.png")
    Image.new("RGB", (12, 12), GREEN).save(path)
    relist(page, {**photos, "worn/new.png": path})
    (item,) = page.items(n=3)
    assert page.id(item["id"]) == "worn/new.png"
    assert page.state()["labels"] == 12


def test_a_folder_that_is_gone_is_said_and_comes_back(page, photos):
    root = photos[IDS[0]].parent
    aside = root.rename(root.with_name("aside"))
    told = page.read("/api/next", by="ann", n=3)
    assert (told["items"], "cannot be read" in told["message"]) == ([], True)
    aside.rename(root)
    relist(page, photos)
    assert len(page.items(n=3)) == 3
