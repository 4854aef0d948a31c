"""Formats alone; the round trip through a real server is in test_label_studio_server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import QueryRow
from alvision.labels.exchange import label_studio as form

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


def test_an_answer_that_is_no_class_is_named():
    with pytest.raises(UserError, match="task 3 was answered 'bent'"):
        read(annotation("bent"))
