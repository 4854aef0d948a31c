import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.labels.boxes import Box, boxes
from tests.unit.labels.conftest import event, undo

SIDES = st.integers(1, 999_999)


def drawn(uuid, answer, note="1,2,30,40", id="x", by="a"):
    return event(uuid, id, "box", None, by, target=answer, note=note)


def answer(uuid, id="x", by="a", label="worn"):
    return event(uuid, id, "label", label, by)


@given(st.integers(0, 999_999), st.integers(0, 999_999), SIDES, SIDES)
def test_what_is_written_is_read_again(x, y, width, height):
    box = Box(x, y, width, height)
    assert Box.read(box.note) == box


@pytest.mark.parametrize("note", [None, "", "1,2,3", "1,2,0,4", "-1,2,3,4", "1,2,3,4,5", "١,٢,٣,٤"])
def test_what_is_no_box_is_none(note):
    assert Box.read(note) is None
    assert boxes([answer("1"), drawn("2", "1", note)]) == {}


def test_a_box_lies_in_its_photograph_to_the_last_pixel():
    assert Box(5, 0, 5, 8).lies_in((10, 8)) and not Box(6, 0, 5, 8).lies_in((10, 8))


def test_a_box_goes_with_its_answer_and_comes_back_with_it():
    log = [answer("1"), drawn("2", "1")]
    assert boxes(log) == {"x": (Box(1, 2, 30, 40),)}
    log += [undo("3", "1", "a")]
    assert boxes(log) == {}
    log += [undo("4", "3", "a")]
    assert boxes(log) == {"x": (Box(1, 2, 30, 40),)}
    assert boxes([*log, answer("5", label="ok")]) == {}


def test_a_box_may_come_before_its_answer_and_be_taken_back_alone():
    log = [drawn("2", "1"), answer("1")]
    assert len(boxes(log)["x"]) == 1
    assert boxes([*log, undo("3", "2", "a")]) == {}


def test_the_boxes_of_two_people_count_in_the_order_of_their_answers():
    log = [
        answer("1", by="b"),
        answer("2", by="a"),
        drawn("3", "2", "0,0,1,1", by="a"),
        drawn("4", "1", "5,5,1,1", by="b"),
    ]
    assert boxes(log) == {"x": (Box(5, 5, 1, 1), Box(0, 0, 1, 1))}


def test_a_box_belongs_to_an_answer_to_its_own_image():
    astray = [answer("1"), drawn("2", "1", id="copy")]
    assert boxes(astray) == {}
    assert len(boxes(astray, lambda event: "x")["x"]) == 1, "a copy is the same image"
