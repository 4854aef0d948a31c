import os
import subprocess
import sys

import pytest

from alvision.core.errors import UserError
from alvision.deploy.bundle.swap_folder import install, locked, previous_of, recover, roll_back
from tests.support import PROJECT

KILLS = """
import os, shutil, signal, sys
from pathlib import Path
from alvision.deploy.bundle import swap_folder

# Kill before the n-th time that the system is asked to change or open something, for every n; then
# kill what recovers from it before its m-th time, for every m.
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

def forked(last, do):
    # Kill a child that does something before its step `last`; tell whether it was killed.
    if (pid := os.fork()) == 0:
        seen = [0]
        def hook(event, arguments):
            if event in asked:
                seen[0] += 1
                if seen[0] == last:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        do()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0

def ready(folder):
    line = folder / "line"
    fill(line, "old"), fill(folder / "line.previous", "previous"), fill(folder / "new", "new")
    return line

def replaced(line):
    with swap_folder.locked(line):
        if work == "place":
            swap_folder.install(line.with_name("new"), line)
        else:
            swap_folder.roll_back(line)

def checked(line, kill):
    # Nothing is lost and nothing is there twice; the same command then does what it says.
    found = said(line), said(line.with_name("line.previous"))
    begun, done = ("old", "previous"), ("new", "old") if work == "place" else ("previous", "old")
    assert found in (begun, done), (kill, found)
    left = {path.name for path in line.parent.iterdir()}
    assert left - {".line.lock", ".line.copy"} == {"line", "line.previous", "new"}, (kill, left)
    replaced(line)
    again = ("new", found[0]) if work == "place" else found[::-1]
    assert (said(line), said(line.with_name("line.previous"))) == again, kill

def said(folder):
    # Return the one text of all files of a folder: a mixture of two is none.
    found = files(folder)
    (text,) = set(found.values())
    assert sorted(found) == ["a", "b"], found
    return text

kills = gone = again = 0
while True:
    line = ready(root / str(kills))
    killed = forked(kills + 1, lambda: replaced(line))
    if not killed:
        break
    kills += 1
    gone += not line.exists()
    before = root / f"{kills} killed"
    shutil.copytree(line.parent, before)
    step = 0
    while True:
        step += 1
        other = root / f"{kills} {step}"
        shutil.copytree(before, other)
        if not forked(step, lambda: swap_folder.recover(other / "line")):
            break
        swap_folder.recover(other / "line")
        checked(other / "line", (kills, step))
        again += 1
        shutil.rmtree(other)
    swap_folder.recover(line)
    checked(line, kills)
    shutil.rmtree(line.parent), shutil.rmtree(before), shutil.rmtree(other)
print(kills, gone, again)
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
    kills, gone, again = map(int, done.stdout.split())
    record_property("kills", kills + again)
    assert kills > (20 if work == "place" else 1)
    # A roll back that exchanges is one step, and a kill leaves nothing to recover from.
    assert again > 10 or (work == "swap" and exchange)
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


def test_a_place_is_taken_once(line):
    with (
        locked(line),
        pytest.raises(UserError, match="being replaced by another process"),
        locked(line, seconds=0.05),
    ):
        pass
    with locked(line):
        pass


def test_nothing_is_mended_that_is_whole(line):
    before = sorted(line.parent.rglob("*"))
    recover(line)
    recover(line.with_name("nowhere"))
    assert sorted(line.parent.rglob("*")) == before


def test_who_reads_a_whole_folder_does_not_wait_for_its_promotion(line):
    beside = line.with_name(".line.was")
    beside.mkdir()
    with locked(line):
        recover(line)
        assert said(line) == "line" and beside.exists()
    recover(line)
    assert previous_of(line).exists() and not beside.exists()


def test_a_copy_that_is_refused_leaves_nothing(line):
    def refuse(copy):
        raise UserError(said(copy))

    before = sorted(line.parent.rglob("*"))
    with pytest.raises(UserError, match="new"):
        install(line.with_name("new"), line, check=refuse)
    assert sorted(line.parent.rglob("*")) == before
