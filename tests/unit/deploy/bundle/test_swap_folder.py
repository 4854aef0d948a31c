import os
import subprocess
import sys

import pytest

from alvision.core.errors import UserError
from alvision.deploy.bundle.swap_folder import install, locked, previous_of, recover, roll_back
from tests.support import PROJECT

KILLS = """
import os, signal, sys
from pathlib import Path
from alvision.deploy.bundle import swap_folder

# Kill before the n-th time that the system is asked to change or open something, for every n.
root, work, exchange = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
asked = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "open", "shutil.copyfile"}
exact = swap_folder._exchange
swap_folder._exchange = lambda one, other: exchange and exact(one, other)

def files(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}

def fill(folder, text):
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / name).write_text(text)

def child(line, last):
    seen = [0]
    def hook(event, arguments):
        if event in asked:
            seen[0] += 1
            if seen[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    with swap_folder.locked(line):
        if work == "place":
            swap_folder.install(line.with_name("new"), line)
        else:
            swap_folder.roll_back(line)
    os._exit(0)

old, previous, new = ({"a": text, "b": text} for text in ("old", "previous", "new"))
kills = gone = 0
while True:
    folder = root / str(kills)
    line = folder / "line"
    fill(line, "old"), fill(folder / "line.previous", "previous"), fill(folder / "new", "new")
    if (pid := os.fork()) == 0:
        child(line, kills + 1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        break
    kills += 1
    gone += not line.exists()
    swap_folder.recover(line)
    assert files(line) in (old, new if work == "place" else previous), (kills, files(line))
    before = files(line)
    with swap_folder.locked(line):
        swap_folder.recover(line.with_name("line.previous"))
        if work == "place":
            swap_folder.install(line.with_name("new"), line)
            assert files(line) == new and files(line.with_name("line.previous")) == before
        else:
            other = files(line.with_name("line.previous"))
            swap_folder.roll_back(line)
            assert files(line) == other and files(line.with_name("line.previous")) == before
print(kills, gone)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
@pytest.mark.slow
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "no exchange"])
@pytest.mark.parametrize("work", ["place", "swap"])
def test_a_kill_at_any_moment_leaves_a_whole_line(tmp_path, work, exchange, record_property):
    done = subprocess.run(
        [sys.executable, "-c", KILLS, tmp_path, work, str(exchange)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, gone = map(int, done.stdout.split())
    record_property("kills", kills)
    assert kills > (20 if work == "place" else 1)
    if exchange and sys.platform == "linux":
        assert gone == 0


@pytest.fixture
def line(tmp_path):
    for name in ("line", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "said").write_text(name)
    return tmp_path / "line"


def said(folder):
    return (folder / "said").read_text()


def test_the_old_one_is_kept_and_comes_back(line):
    new = line.with_name("new")
    install(new, line)
    assert said(line) == "new" and said(previous_of(line)) == "line" and said(new) == "new"
    roll_back(line)
    assert said(line) == "line" and said(previous_of(line)) == "new"
    roll_back(line)
    assert said(line) == "new"
    left = {path.name for path in line.parent.iterdir()}
    assert left == {"line", "line.previous", "new"}


def test_the_first_one_has_no_previous(line):
    install(line, line.with_name("first"))
    assert said(line.with_name("first")) == "line"
    assert not previous_of(line.with_name("first")).exists()


def test_a_place_is_taken_once(line, monkeypatch):
    monkeypatch.setattr("alvision.deploy.bundle.swap_folder._LOCK_SECONDS", 0.05)
    with (
        locked(line),
        pytest.raises(UserError, match="being replaced by another process"),
        locked(line),
    ):
        pass
    with locked(line):
        pass


def test_nothing_is_mended_that_is_whole(line):
    before = sorted(line.parent.rglob("*"))
    recover(line)
    recover(line.with_name("nowhere"))
    assert sorted(line.parent.rglob("*")) == before
