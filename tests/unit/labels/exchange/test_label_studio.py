"""Formats alone; the round trip through a real server is in test_label_studio_server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import Event, QueryRow
from alvision.labels.consensus import consensus
from alvision.labels.exchange import label_studio as form
from alvision.labels.store import LabelStore

CLASSES = ["ok", 'wörn, "x"', "li\nne", "<b>&amp;"]


def annotation(choice, by=1, at="2026-01-01T10:00:00Z", **more):
    result = [{"type": "choices", "value": {"choices": [choice]}}] if choice else []
    return {"id": 7, "unique_id": f"u{by}", "completed_by": by, "updated_at": at,
            "result": result, "was_cancelled": False, "lead_time": 2.5, **more}  # fmt: skip


def read(*annotations, sha256="f00d", **data):
    tasks = [{"id": 3, "data": {"sha256": sha256, "round": 4, **data}, "annotations": annotations}]
    people = {1: "anna@x", 2: "bert@x"}
    return form.events(tasks, people=people, classes=CLASSES, id_of={"f00d": "a.png"}.get)


def test_a_configuration_holds_any_class_name():
    found = form.control(form.configuration(CLASSES))
    assert found == form.Control("choice", "image", "image", (*CLASSES, "unsure"))
    more = form.control(form.with_classes(form.configuration(["ok"]), CLASSES))
    assert set(more.choices) == {*CLASSES, "unsure"}
    assert len(more.choices) == 5


@given(st.lists(st.text(max_size=9).filter(form.can_choose), min_size=1, max_size=4, unique=True))
@settings(max_examples=20)
def test_a_configuration_comes_back_with_its_names(classes):
    assert form.control(form.configuration(classes)).choices == (*classes, "unsure")


def test_a_name_that_the_format_cannot_hold_is_named():
    with pytest.raises(UserError, match=r"'a\\x01' .* rename"):
        form.configuration(["ok", "a\x01"])


def test_a_configuration_that_asks_for_something_else_is_refused():
    with pytest.raises(UserError, match="project="):
        form.control(form.PLAIN)


def test_a_task_carries_the_model_s_opinion_and_the_reason_but_no_path():
    control = form.control(form.configuration(CLASSES))
    row = QueryRow("worn/1.png", 5, 0.25, "acquisition", None, "li\nne", "between ok and worn")
    made = form.task(row, round=2, sha256="f00d", address="/data/x.png", control=control)
    assert made["data"] == {"image": "/data/x.png", "sha256": "f00d", "round": 2, "rank": 5,
                            "score": 0.25, "reason": "between ok and worn"}  # fmt: skip
    (prediction,) = made["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("round 2", 0.25)
    assert prediction["result"][0]["value"] == {"choices": ["li\nne"]}
    assert "worn/" not in str(made)
    blind = form.task(
        QueryRow("a", 0, slot="audit"), round=2, sha256="f", address="", control=control
    )
    assert blind["predictions"] == []


def test_every_annotation_is_a_vote():
    votes = read(
        annotation("ok", 2), annotation("li\nne", {"email": "cleo@x"}), annotation("unsure", 9)
    )
    assert {(v.by, v.kind, v.label) for v in votes} == {
        ("bert@x", "label", "ok"),
        ("cleo@x", "label", "li\nne"),
        ("label studio 9", "unsure", None),
    }
    assert {(v.id, v.sha256, v.round, v.seconds) for v in votes} == {("a.png", "f00d", 4, 2.5)}


def test_what_is_no_answer_is_passed_over():
    assert read(annotation("ok", was_cancelled=True), annotation(None)) == []
    assert read(annotation("ok"), sha256="of an image that is gone") == []
    assert read(annotation("ok"), sha256=None) == []


def test_a_changed_mind_is_a_new_event_and_comes_later():
    late, early = annotation("ok", at="2026-01-02"), annotation("li\nne", 2, at="2026-01-01")
    first, again = read(late, early), read(late, early)
    assert [v.by for v in first] == ["bert@x", "anna@x"]
    assert first == again
    changed = read(annotation("li\nne", at="2026-01-03"))
    assert changed[0].uuid not in {v.uuid for v in first}


def test_an_annotation_of_several_classes_is_refused():
    several = annotation("ok")
    several["result"][0]["value"]["choices"] = [*CLASSES[:2]]
    with pytest.raises(UserError, match=r"chose several classes .*keep one"):
        read(several)
    again = annotation("ok")
    again["result"] *= 2  # two regions, one class
    assert len(read(again)) == 1


def test_an_answer_that_is_no_class_is_named():
    with pytest.raises(UserError, match="task 3 was answered 'bent'"):
        read(annotation("bent"))


SHA = "f00d"
HERE = "2026-01-05T10:00:00.000Z"


def resolve(event):
    return "a.png"


@pytest.fixture
def pull(tmp_path):
    """Return a function that pulls annotations of one task as `pull` does, and the store."""
    store = LabelStore(tmp_path / "labels.db")

    def pull(*annotations, gone=False, origin="Label Studio"):
        task = {"id": 3, "data": {"sha256": SHA, "round": 4}, "annotations": annotations}
        tasks = [] if gone else [task]
        log = store.events()
        votes = form.events(
            tasks, people={1: "anna@x"}, classes=CLASSES, id_of={SHA: "a.png"}.get, origin=origin
        )
        old = form.newer_here(votes, log, resolve)
        back = form.taken_back_there(tasks, log, origin=origin)
        new = [vote for vote in votes if vote.uuid not in old]
        store.append([*back, *new], hash_of={"a.png": SHA}.get)
        found = consensus(store.events()).get("a.png")
        return found and found.label

    yield pull, store
    store.close()


@pytest.mark.parametrize(
    "later",
    [
        [],
        [annotation("ok", at="2026-01-02T10:00:00Z", was_cancelled=True)],
        [annotation(None, at="2026-01-02T10:00:00Z")],
    ],
    ids=["deleted", "cancelled", "emptied"],
)
def test_what_is_taken_back_there_is_taken_back_here(pull, later):
    pull, store = pull
    assert pull(annotation("ok")) == "ok"
    assert pull(annotation("li\nne", at="2026-01-01T11:00:00Z")) == "li\nne"
    assert pull(*later) is None, "neither the last word nor the one before it stands"
    count = store.last()
    assert pull(*later) is None
    assert store.last() == count, "pulling twice is harmless"
    assert pull(annotation("ok", at="2026-01-03T10:00:00Z")) == "ok"


def test_a_task_that_is_cleared_away_takes_no_answer_back(pull):
    pull, _ = pull
    pull(annotation("ok"))
    assert pull(gone=True) == "ok"


def test_another_project_and_an_answer_of_the_page_are_left_alone(pull):
    pull, store = pull
    assert pull(annotation("ok"), origin="Label Studio A") == "ok"
    assert pull(origin="Label Studio B") == "ok"
    store.append([Event("a.png", "label", "ok", "bert", 0, "p", sha256=SHA)], hash_of={}.get)
    assert pull(origin="Label Studio A") == "ok"
    assert [e.target for e in store.events() if e.kind == "undo"] == [store.events()[0].uuid]


def test_an_old_annotation_does_not_go_above_a_newer_word_here(pull):
    pull, store = pull
    said = Event("a.png", "label", "ok", "anna@x", 0, "page", sha256=SHA, time=HERE)
    store.append([said], hash_of={}.get)
    assert pull(annotation("li\nne", at="2025-12-01T10:00:00Z")) == "ok"
    assert pull(annotation("li\nne", at="2026-01-06T10:00:00Z")) == "li\nne"
    assert [event.time for event in store.events()] == [HERE, "2026-01-06T10:00:00.000Z"]
