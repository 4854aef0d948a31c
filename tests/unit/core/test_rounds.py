import signal
import subprocess
import sys

import pytest

from alvision.core.errors import UserError
from alvision.core.records import Answers, Event, Query, QueryRow
from alvision.core.rounds import claim, lock, rounds_of, write_atomically
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile


class Text:
    def write(self, value, path):
        path.write_text(value)

    def read(self, path):
        return path.read_text()


CODECS = {name: Text() for name in ("query.csv", "model.ckpt", "metrics.json")} | {
    "answers.csv": AnswersFile()
}


def event(number):
    return Event("a.png", "label", "ok", "me", 0, str(number), number=number)


def test_a_step_is_made_once_and_read_from_its_file(tmp_path):
    rnd = rounds_of(tmp_path, CODECS, 0)[0]
    assert rnd.new
    assert rnd.once("query.csv", lambda: "first") == "first"
    assert rnd.once("query.csv", lambda: pytest.fail("made twice")) == "first"
    assert not rnd.new
    assert not rnd.done


def test_a_step_that_fails_leaves_nothing_behind(tmp_path):
    rnd = rounds_of(tmp_path, CODECS, 0)[0]
    with pytest.raises(ZeroDivisionError):
        rnd.once("query.csv", lambda: 1 / 0)
    assert rnd.new
    assert rnd.once("query.csv", lambda: "now") == "now"


def test_half_a_write_is_never_seen(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from alvision.core.rounds import *\n"
        "def write(p):\n p.write_text('ne'); os.kill(os.getpid(), signal.SIGTERM)\n"
        "write_atomically(Path(sys.argv[1]), write)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode in (-signal.SIGTERM, 15, 1)
    assert path.read_text() == "old"
    write_atomically(path, lambda beside: beside.write_text("new"))
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_pin_is_the_last_event_or_the_previous_pin(tmp_path):
    first, second, third = rounds_of(tmp_path, CODECS, 2)
    first.once("answers.csv", lambda: Answers((event(1), event(4)), 4))
    second.once("answers.csv", lambda: Answers((), 4))
    assert (first.previous_pin, first.pin, second.pin, third.previous_pin) == (0, 4, 4, 4)


def test_the_files_of_a_round_come_back_as_they_were(tmp_path):
    folder = tmp_path / "007"
    folder.mkdir()
    query = Query(
        7,
        (
            QueryRow('a "b", ü.png', 0, 0.1 + 0.2, "acquisition", None, "größer", "between a, b"),
            QueryRow("b.png", 1, None, "audit", 1 / 3, None, ""),
        ),
    )
    QueryFile().write(query, folder / "query.csv")
    assert QueryFile().read(folder / "query.csv") == query
    answers = Answers((Event("a.png", "skip", None, "me", 7, "", number=3),), 3)
    AnswersFile().write(answers, folder / "answers.csv")
    assert AnswersFile().read(folder / "answers.csv") == answers
    MetricsFile().write({"macro_f1": 0.1 + 0.2, "ece": None}, folder / "metrics.json")
    assert MetricsFile().read(folder / "metrics.json") == {"macro_f1": 0.1 + 0.2, "ece": None}


def document(**changes):
    fingerprint = {"seed": 0, "model.backbone": "resnet18"} | changes
    return {
        "run": "r",
        "fingerprint": fingerprint,
        "classes": ["a", "b"],
        "defects": ["b"],
        "config": {},
    }


def test_a_folder_refuses_another_configuration_and_names_the_difference(tmp_path):
    claim(tmp_path, document())
    assert claim(tmp_path, document() | {"run": "other"})["run"] == "r"
    with pytest.raises(UserError, match="seed was 0 and is 1"):
        claim(tmp_path, document(seed=1))


def test_classes_can_be_added_anywhere_but_not_lost(tmp_path):
    claim(tmp_path, document())
    assert claim(tmp_path, document() | {"classes": ["a", "x", "b"]})["classes"] == ["a", "x", "b"]
    with pytest.raises(UserError, match="classes= has lost x"):
        claim(tmp_path, document())
    wider = document() | {"classes": ["a", "x", "b"]}
    assert claim(tmp_path, wider | {"defects": ["b", "x"]})["defects"] == ["b", "x"]
    with pytest.raises(UserError, match="defects= has lost x"):
        claim(tmp_path, wider)


@pytest.mark.parametrize("text", ["", "[1, 2]", "run: r", "{", "run: [a"])
def test_an_edited_document_is_named(tmp_path, text):
    (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(UserError, match=r"experiment\.yaml"):
        claim(tmp_path, document())


def test_a_second_process_is_turned_away_and_a_dead_one_is_not_in_the_way(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from alvision.core.rounds import lock\n"
        "held = lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="in use by another process"):
            lock(tmp_path)
        other.kill()
        other.wait()
    lock(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another out="):
        lock(tmp_path / "file" / "run")


def test_rounds_need_no_torch():
    code = (
        "import sys, alvision.core.rounds, alvision.core.records; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
