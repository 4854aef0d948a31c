"""What a report reads back from a run's folder."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.core.records import Answers, Event
from alvision.labels.consensus import consensus, standing
from alvision.labels.store import LabelStore
from alvision.reporting.run.folder import answers_by_image, read
from alvision.run_folder.round_files import AnswersFile
from tests.unit.reporting.builder import run_folder


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


def write(root, *rounds, old=False):
    """Write a run whose rounds hold these events; `old`: as before uuid and target were kept."""
    run_folder(root, rounds=len(rounds), batch=1)
    number = 0
    for place, events in enumerate(rounds):
        numbered = [replace(event, number=(number := number + 1)) for event in events]
        file = root / "rounds" / f"{place:03d}" / "answers.csv"
        AnswersFile().write(Answers(tuple(numbered), number), file)
        if old:
            cells = [line.split(",")[:6] for line in file.read_text().splitlines()]
            file.write_text("".join(",".join(row) + "\n" for row in cells))
    return root


def event(kind, label=None, uuid="", *, id="a.png", by="me", target=None):
    return Event(id, kind, label, by, 0, uuid, target=target)


MERGED = [
    event("label", "scratch", "1"),
    event("merge", "scratch", "2", id="", target="dent"),
]
EARLIER_UNDONE = [
    event("label", "ok", "1"),
    event("label", "worn", "2"),
    event("undo", None, "3", target="1"),
]
UNDO_UNDONE = [
    event("label", "ok", "1"),
    event("undo", None, "2", target="1"),
    event("undo", None, "3", target="2"),
]
LOGS = {
    "a class is merged into another": (MERGED, "dent"),
    "the earlier of two answers is undone": (EARLIER_UNDONE, "worn"),
    "an undo is undone": (UNDO_UNDONE, "ok"),
    "a dispute is settled": ([event("label", "ok", "1"), event("settle", "worn", "2")], "worn"),
}


@pytest.mark.parametrize("log", LOGS)
def test_the_report_says_what_the_store_says(tmp_path, log):
    events, expected = LOGS[log]
    run = read(write(tmp_path / "run", *([one] for one in events)))
    assert consensus(events)["a.png"].label == expected
    assert answers_by_image(run)["a.png"].label == expected
    assert run.note is None


@pytest.mark.parametrize("log", LOGS)
def test_an_old_folder_is_completed_from_its_label_store(tmp_path, log):
    events, expected = LOGS[log]
    root = write(tmp_path / "run", events, old=True)
    with LabelStore(root / "labels.db") as store:
        store.append(events, hash_of=lambda _: None)
    run = read(root)
    assert answers_by_image(run)["a.png"].label == expected
    assert run.note is None


def test_an_old_folder_without_its_store_says_what_it_cannot_know(tmp_path):
    run = read(write(tmp_path / "run", EARLIER_UNDONE, old=True))
    assert answers_by_image(run)["a.png"].label == "ok"
    assert "An older version wrote the answers" in run.note
    plain = read(write(tmp_path / "plain", [event("label", "ok")], old=True))
    assert answers_by_image(plain)["a.png"].label == "ok"
    assert plain.note is None


def test_another_runs_store_is_not_believed(tmp_path):
    root = write(tmp_path / "run", EARLIER_UNDONE, old=True)
    with LabelStore(root / "labels.db") as store:
        store.append([event("label", "torn", "9")], hash_of=lambda _: None)
    assert "its label store is gone" in read(root).note


def test_answers_up_to_a_round(tmp_path):
    run = read(write(tmp_path / "run", *([one] for one in EARLIER_UNDONE)))
    assert answers_by_image(run, upto=0)["a.png"].label == "ok"
    assert answers_by_image(run, upto=1)["a.png"].label == "worn"


def test_a_tie_goes_to_the_class_said_last_and_is_a_conflict(tmp_path):
    events = [event("label", "ok", "1", by="x"), event("label", "worn", "2", by="y")]
    answer = answers_by_image(read(write(tmp_path / "run", events)))["a.png"]
    assert (answer.label, answer.conflict) == ("worn", True)
    assert answer.votes == (("x", "ok"), ("y", "worn"))


def test_skip_alone_is_an_answer_without_a_class(tmp_path):
    answer = answers_by_image(read(write(tmp_path / "run", [event("skip", None, "1")])))["a.png"]
    assert (answer.kind, answer.label) == ("skip", None)


@st.composite
def logs(draw):
    """Draw a log of people who answer, take back, settle and merge."""
    events = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(
            st.sampled_from(["label", "label", "skip", "undo", "settle", "merge", "import"])
        )
        id, by = draw(st.sampled_from(["a.png", "b.png"])), draw(st.sampled_from("xy"))
        label = draw(st.sampled_from(["ok", "worn", "torn"]))
        target = draw(st.sampled_from(["ok", "worn"])) if kind == "merge" else None
        if kind == "undo":
            target = str(draw(st.integers(0, 12)))
        label = None if kind in ("undo", "skip") else label
        events.append(event(kind, label, str(number), id=id, by=by, target=target))
    return events


@pytest.mark.slow
@settings(max_examples=40)
@given(logs(), st.integers(1, 3))
def test_the_report_follows_the_store_whatever_people_did(events, rounds):
    with tempfile.TemporaryDirectory() as folder:
        slices = [events[len(events) * k // rounds : len(events) * (k + 1) // rounds]
                  for k in range(rounds)]  # fmt: skip
        found = answers_by_image(read(write(Path(folder) / "run", *slices)))
    settled = consensus(events)
    assert {id: answer.label for id, answer in found.items() if answer.label} == {
        id: vote.label for id, vote in settled.items()
    }
    assert found.keys() == {*standing(events), *settled}


def test_the_maps_that_the_page_drew_are_found(tmp_path):
    folder = run_folder(tmp_path / "run", rounds=1) / "rounds" / "000"
    (folder / "heatmaps").mkdir()
    (folder / "heatmaps" / "a.png").touch()
    images = {
        "x": {"heatmap": "a.png", "strange": True},
        "y": {"heatmap": "later.png", "strange": True},
        "z": {"heatmap": "a.png"},
    }
    (folder / "opinions.json").write_text(json.dumps({"images": images}))
    (rnd,) = read(tmp_path / "run").rounds
    assert rnd.maps == {"x": folder / "heatmaps" / "a.png"}
