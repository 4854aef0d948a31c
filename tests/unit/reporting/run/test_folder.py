"""What a report reads back from a run's folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.reporting.run.folder import read, settle
from tests.unit.reporting.builder import run_folder


def said(sample, label, by="me", kind="label"):
    return Event(sample, kind, label, by, 0, "")


def test_a_folder_is_read_back_as_it_was_written(tmp_path):
    run = read(run_folder(tmp_path / "run", rounds=3, batch=5))
    assert [rnd.number for rnd in run.rounds] == [0, 1, 2]
    assert [len(rnd.query) for rnd in run.rounds] == [5, 5, 5]
    assert run.classes == ("ok", "scratch", "inclusion")
    assert run.defects == ("scratch", "inclusion")
    assert run.finished[-1].metrics["answers"] == 15
    assert run.setting("model", "passes") == 20
    assert run.setting("model", "nothing", default="x") == "x"


def test_an_unfinished_round_has_no_metrics(tmp_path):
    root = run_folder(tmp_path / "run", rounds=2)
    (root / "rounds" / "001" / "metrics.json").unlink()
    run = read(root)
    assert [rnd.number for rnd in run.rounds] == [0, 1]
    assert [rnd.number for rnd in run.finished] == [0]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"experiment\.yaml"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name, text",
    [("query.csv", "a,b\n1,2\n"), ("answers.csv", "event\nx\n"), ("metrics.json", "{")],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, name, text):
    root = run_folder(tmp_path / "run", rounds=1)
    (root / "rounds" / "000" / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        read(root)


def test_images_set_aside_are_read_with_their_reason(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1)
    text = 'id,reason\n"a, b.png",truncated\nü.png,"not an image"\n'
    (root / "set_aside.csv").write_text(text, encoding="utf-8")
    assert read(root).set_aside == {"a, b.png": "truncated", "ü.png": "not an image"}


def test_a_tie_goes_to_the_class_said_last_and_is_a_conflict():
    word = settle([said("a", "ok", "x"), said("a", "worn", "y")])["a"]
    assert (word.label, word.conflict) == ("worn", True)
    assert word.votes == (("x", "ok"), ("y", "worn"))


def test_an_undo_brings_back_the_word_before():
    undo = said("a", None, "x", "undo")
    events = [said("a", "ok", "x"), said("a", "worn", "x"), undo]
    assert settle(events)["a"].label == "ok"
    assert settle([*events, undo]) == {}


def test_an_undo_without_a_word_changes_nothing():
    assert settle([said("a", None, "x", "undo"), said("a", "ok", "y")])["a"].label == "ok"


def test_skip_alone_is_a_word_without_a_class():
    word = settle([said("a", None, "x", "skip")])["a"]
    assert (word.kind, word.label) == ("skip", None)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ok", "worn"]), st.integers(0, 2)))
)
def test_one_speaker_counts_once_an_image(words):
    events = [said(sample, label, str(by)) for sample, label, by in words]
    for sample, word in settle(events).items():
        speakers = {event.by for event in events if event.id == sample}
        assert {by for by, _ in word.votes} == speakers
