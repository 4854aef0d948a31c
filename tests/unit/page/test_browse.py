"""Looking back: answers by filter, what is hidden, and what is known of a photograph."""

import uuid

import pytest
from PIL import Image

IDS = [f"worn/{i:02d}.png" for i in range(12)]


def found(page, by="ann", **filters):
    answered = page.read("/api/answered", by=by, **filters)
    return [page.id(image["id"]) for image in answered["images"]]


@pytest.fixture
def history(page, ask):
    """Return a page with a label each of two people, a skip, a flag, a dispute and a doubt."""
    ask(*IDS[:6], prediction="ok")
    page.say(page.address(IDS[0]), "ok")
    page.say(page.address(IDS[1]), "worn")  # the model expected ok
    page.say(page.address(IDS[2]), "ok", by="bob", seconds_ago=7200.0)
    page.say(page.address(IDS[3]), kind="skip")
    page.say(page.address(IDS[4]), "ok")
    page.say(page.address(IDS[4]), "worn", by="bob")
    page.say(page.address(IDS[0]), kind="flag", note="oil on the LENS")
    return page


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"label": "ok"}, [2, 0]),
        ({"person": "bob"}, [4, 2]),
        ({"show": "doubt"}, [4, 1]),
        ({"show": "disputed"}, [4]),
        ({"show": "skip"}, [3]),
        ({"show": "flag"}, [0]),
        ({"hours": 1}, [4, 3, 1, 0]),
        ({"search": "02.P"}, [2]),
        ({"search": "lens"}, [0]),
        ({"search": "worn"}, []),  # the folder's name, which a class may have
        ({"label": "worn", "person": "ann", "show": "doubt"}, [4, 1]),
    ],
)
def test_filters_choose_the_last_answers_first(history, filters, wanted):
    assert found(history, **filters) == [IDS[k] for k in wanted]


def test_an_image_comes_with_everybodys_answers(history):
    answered = history.read("/api/answered", by="ann", show="disputed")
    assert (answered["total"], answered["people"]) == (1, ["ann", "bob"])
    (image,) = answered["images"]
    assert [(one["by"], one["label"]) for one in image["answers"]] == [
        ("ann", "ok"),
        ("bob", "worn"),
    ]
    assert all(one["time"] for one in image["answers"])
    assert (image["expected"], image["disputed"]) == ("ok", True)


def test_a_correction_is_an_answer_like_any_other_and_can_be_taken_back(history, store):
    before = len(store.events())
    word = history.say(history.address(IDS[1]), "ok")
    assert found(history, show="doubt") == [IDS[4]]
    assert len(store.events()) == before + 1
    undo = {"uuid": str(uuid.uuid4()), "kind": "undo", "target": word}
    assert history.tell("/api/answers", by="ann", events=[undo])["refused"] == []
    assert IDS[1] in found(history, show="doubt")


def test_nobody_sees_votes_on_what_they_still_have_to_answer(make_page, ask):
    page = make_page(votes=2)
    ask(*IDS[:3], ranking=[(IDS[5], "gold")])
    page.say(page.address(IDS[0]), by="bob")
    page.say(page.address(IDS[5]), by="bob")
    page.say(page.address(IDS[5]))
    assert found(page, "ann") == []
    assert found(page, "bob") == [IDS[0]]
    page.say(page.address(IDS[0]))
    assert found(page, "eve") == [IDS[0]]


def test_the_model_is_not_quoted_on_held_out_images(page, ask):
    ask(IDS[10], prediction="worn")
    page.say(page.address(IDS[10]))
    (image,) = page.read("/api/answered", by="ann")["images"]
    assert image["expected"] is None
    assert found(page, show="doubt") == []


def test_pages_of_many_answers_follow_each_other(page):
    for id in IDS[:4]:
        page.say(page.address(id))
    assert found(page, offset=1) == [IDS[2], IDS[1], IDS[0]]
    assert found(page, offset=9) == []


def test_about_a_photograph_its_own_name_its_time_and_its_other_views(make_page, photos):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:03:02 09:30:00"
    with Image.open(photos[IDS[1]]) as image:
        image.save(photos[IDS[1]], "JPEG", exif=exif)
    groups = {id: f"worn/{k // 3}" for k, id in enumerate(IDS)}
    page = make_page(groups=groups)
    about = page.read("/api/about", id=page.address(IDS[1]))
    assert (about["name"], about["taken"]) == ("01.png", "2026-03-02 09:30:00")
    assert [page.id(view) for view in about["views"]] == [IDS[0], IDS[2]]
    assert "worn" not in str(about)
    alone = make_page().read("/api/about", id=page.address(IDS[0]))
    assert (alone["taken"], alone["views"]) == (None, [])
    assert page.get("/api/about", params={"id": "nowhere"}).status_code == 410


def test_the_first_page_shows_photographs_before_it_asks_for_classes(make_page):
    page = make_page(classes=())
    samples = page.state()["samples"]
    assert len(samples) == len(set(samples)) == 8
    assert all(page.get(f"/image/{one}?size=thumb").status_code == 200 for one in samples)
    assert make_page().state()["samples"] == []


def test_a_box_is_stored_with_its_answer_and_shown_beside_it(page, ask):
    ask(*IDS[:3])
    first, *_ = page.items()
    answer = page.say(first["id"])
    page.say(first["id"], kind="box", target=answer, note="1,2,3,4")
    (image,) = page.read("/api/answered", by="ann")["images"]
    assert image["boxes"] == [[1, 2, 3, 4]]
    assert (image["photo_width"], image["photo_height"]) == (
        first["photo_width"],
        first["photo_height"],
    )
    page.say(first["id"], kind="undo", target=answer)
    page.say(first["id"], "worn")
    (image,) = page.read("/api/answered", by="ann")["images"]
    assert image["boxes"] == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"note": "1,2,3"}, "a box lies in its photograph"),
        ({"note": "1,2,90000,4"}, "a box lies in its photograph"),
        ({"note": "1,2,3,4", "target": None}, "names the answer"),
    ],
)
def test_a_box_that_makes_no_sense_is_refused(page, ask, more, words):
    ask(*IDS[:3])
    first, *_ = page.items()
    answer = page.say(first["id"])
    box = {"uuid": str(uuid.uuid4()), "id": first["id"], "sha256": first["sha256"], "kind": "box"}
    told = page.tell("/api/answers", by="ann", events=[box | {"target": answer} | more])
    assert words in told["refused"][0]["error"]


def test_nobody_draws_on_the_answer_of_somebody_else(page, ask):
    ask(*IDS[:3])
    first, *_ = page.items()
    answer = page.say(first["id"])
    box = {"uuid": str(uuid.uuid4()), "id": first["id"], "kind": "box", "note": "1,2,3,4"}
    told = page.tell("/api/answers", by="ben", events=[box | {"target": answer}])
    assert told["refused"][0]["error"] == "only ann can draw a box for this answer"
