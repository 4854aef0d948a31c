"""Twenty people at once, on either database, with a server that is killed meanwhile."""

import contextlib
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from alvision.labels.consensus import standing, taken_back
from alvision.labels.store import LabelStore
from tests.conftest import paint
from tests.support import PROJECT, postgres
from tests.support.crowd import Person
from tests.support.parts import imported

PEOPLE = 20
_START = 120


def free_port():
    """Return a port that no outgoing connection gets while the server is down."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


class Killable:
    """The page's server in a process of its own, on one port for ever."""

    def __init__(self, folder, url):
        self.port = free_port()
        words = ["-m", "tests.support.lonely_server", str(folder), str(url), str(self.port)]
        self._command = [sys.executable, *words]
        self._log = (folder / "server.log").open("wb")
        self._start()

    def _start(self):
        project = PROJECT
        self._process = subprocess.Popen(self._command, cwd=project, stderr=self._log)
        end = time.monotonic() + _START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                assert self._process.poll() is None, Path(self._log.name).read_text()
                assert time.monotonic() < end, "the server did not start"
                time.sleep(0.05)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def restart(self):
        self.kill()
        self._start()

    def close(self):
        self.kill()
        self._log.close()


def crowd(folder, url, seconds, kills):
    """Let everybody work for some seconds; return them, and the log at the end."""
    (folder / "run").mkdir()
    paint(0, "ok").save(folder / "image.png")
    dice = random.Random(0)
    with contextlib.closing(Killable(folder, url)) as server:
        begin = time.monotonic()
        people = [
            Person(f"person-{i}", server.port, begin + seconds, seed=i) for i in range(PEOPLE)
        ]
        for person in people:
            person.start()
        for moment in sorted(dice.uniform(0.2, 0.8) * seconds for _ in range(kills)):
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            server.restart()
        for person in people:
            person.join()
    with LabelStore(url, shared=True) as store:
        return people, store.events()


def check(people, log):
    """Nothing that was acknowledged is lost, nothing is there twice, nobody's work is wasted."""
    assert [person.trouble for person in people if person.trouble] == []
    by_uuid = {event.uuid: event for event in log}
    assert [event.number for event in log] == list(range(1, len(log) + 1))
    assert len(by_uuid) == len(log)
    given = {u: (person.name_, word) for person in people for u, word in person.given.items()}
    assert by_uuid.keys() == given.keys()
    for uuid, (name, word) in given.items():
        event = by_uuid[uuid]
        assert (event.by, event.kind, event.label) == (name, word["kind"], word.get("label"))
        assert event.target == word.get("target")
    assert taken_back(log) == {w["target"] for _, w in given.values() if w["kind"] == "undo"}
    if max(person.waited for person in people) < 60:  # else a lease may have run out
        voices = {len({word.by for word in words}) for words in standing(log).values()}
        assert voices == {1}, "with one vote wanted, no image is given to two people"


def percentile(seconds, share):
    return round(1000 * float(np.percentile(seconds, share)))


def report(people, record_property):
    answering = [s for person in people for s in person.answering]
    asking = [s for person in people for s in person.asking]
    record_property("answers", len(answering))
    record_property("answer p50 ms", percentile(answering, 50))
    record_property("answer p95 ms", percentile(answering, 95))
    record_property("next p95 ms", percentile(asking, 95))


@pytest.fixture
def team_url():
    """Return a database on a server that forces everything to disk, as one in use does."""
    imported("psycopg")
    with postgres.server("max_connections=100") as server:
        yield server.new_database()


@pytest.mark.slow
def test_twenty_people_lose_and_double_nothing(tmp_path):
    check(*crowd(tmp_path, tmp_path / "labels.db", seconds=12, kills=1))


@pytest.mark.slow
@pytest.mark.postgres
def test_twenty_people_on_postgresql_lose_and_double_nothing(tmp_path, team_url):
    check(*crowd(tmp_path, team_url, seconds=12, kills=1))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_twenty_people_for_three_minutes_on_sqlite(tmp_path, record_property):
    people, log = crowd(tmp_path, tmp_path / "labels.db", seconds=180, kills=5)
    check(people, log)
    record_property("kills", 5)
    report(people, record_property)


@pytest.mark.soak
@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_twenty_people_for_three_minutes_on_postgresql(tmp_path, team_url, record_property):
    people, log = crowd(tmp_path, team_url, seconds=180, kills=5)
    check(people, log)
    record_property("kills", 5)
    report(people, record_property)
