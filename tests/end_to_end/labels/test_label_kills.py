"""Real processes append, several at once, and are killed at random moments."""

import random
import subprocess
import sys
import time

import pytest

from alvision.labels.store import LabelStore

_WRITER = """
import sys
from alvision.labels.store import LabelStore
from alvision.core.records import Answer

path, shared, who, count = sys.argv[1], sys.argv[2] == "shared", sys.argv[3], int(sys.argv[4])
with LabelStore(path, shared=shared) as store:
    for i in range(count):
        answers = [
            Answer(f"{i}.png", "label", "ok", who, 0, f"{who}-{i}-{j}") for j in range(1 + i % 3)
        ]
        store.append(answers, hash_of=lambda id: None)
        print(i, flush=True)
"""


def start(path, shared, who="anna", count=100_000):
    mode = "shared" if shared else "alone"
    command = [sys.executable, "-c", _WRITER, str(path), mode, who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check_log(path, shared):
    """Return the uuids of a log that is whole: gapless, every transaction all or nothing."""
    with LabelStore(path, shared=shared) as store:
        events = store.events()
        assert store.integrity() == []
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    uuids = {event.uuid for event in events}
    assert len(uuids) == len(events)
    for uuid in uuids:
        who, i, _ = uuid.rsplit("-", 2)
        assert {f"{who}-{i}-{j}" for j in range(1 + int(i) % 3)} <= uuids
    return uuids


def kill_and_retry(path, shared, kills, seed):
    wait = random.Random(seed)
    acknowledged = -1
    for _ in range(kills):
        with start(path, shared) as writer:
            writer.stdout.readline()
            time.sleep(wait.uniform(0, 0.15))
            writer.kill()
            heard = [int(line) for line in writer.stdout.read().split()]
        acknowledged = max([acknowledged, *heard])
        uuids = check_log(path, shared)
        assert all(f"anna-{i}-0" in uuids for i in range(acknowledged + 1))
    with start(path, shared, count=acknowledged + 1) as writer:
        writer.stdout.read()
    assert writer.returncode == 0
    assert check_log(path, shared) == uuids


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path, shared):
    kill_and_retry(tmp_path / "labels.db", shared, kills=1, seed=0)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_many_kills_lose_no_label(tmp_path, shared, record_property):
    kill_and_retry(tmp_path / "labels.db", shared, kills=30, seed=1)
    record_property("kills", 30)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_two_writers_at_once_lose_nothing(tmp_path, shared):
    path = tmp_path / "labels.db"
    with start(path, shared, "anna", 18) as anna, start(path, shared, "bert", 18) as bert:
        anna.stdout.read()
        bert.stdout.read()
    assert (anna.returncode, bert.returncode) == (0, 0)
    assert len(check_log(path, shared)) == 2 * 6 * (1 + 2 + 3)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_kill_loses_nothing_that_a_server_acknowledged(postgres_server):
    url = postgres_server.new_database()
    for number in range(3):
        who = f"anna{number}"
        with start(url, True, who) as writer:
            writer.stdout.readline()
            time.sleep(0.1 * number)
            writer.kill()
            heard = [int(line) for line in writer.stdout.read().split()]
        assert {f"{who}-{i}-0" for i in [0, *heard]} <= check_log(url, True)
