import json
import threading
import time
from dataclasses import replace

import pytest

from alvision.core.errors import UserError
from alvision.watch import outbox
from alvision.watch.outbox import NotDelivered, Sender, message_of, pause_before
from alvision.watch.records import Row
from tests.support.machine import judged, numbers


class Fake:
    """A receiver that is away for the first sends of some verdicts."""

    name = "fake"

    def __init__(self, away=None):
        self.bodies, self.away, self.closed = [], dict(away or {}), False
        self.open = threading.Event()
        self.open.set()

    def send(self, message):
        assert self.open.wait(10)
        body = json.loads(message.body)
        number = body["data"]["number"]
        if self.away.get(number):
            self.away[number] -= 1
            raise NotDelivered("away")
        assert body["id"] == message.id
        self.bodies.append(body)

    def close(self):
        self.closed = True


def send(to, receiver, say=lambda line: None, patience=5.0):
    sender = Sender(to, receiver, say, pause=lambda attempt: 0.001)
    left = sender.finish(patience)
    sender.close()
    return left


@pytest.fixture
def to(tmp_path):
    """Return a line's folder whose first verdict was there before anybody listened."""
    judged(tmp_path / "line", [0])
    assert send(tmp_path / "line", Fake()) == 0
    return tmp_path / "line"


def test_every_verdict_is_sent_once_and_in_order(to):
    receiver = Fake()
    judged(to, range(1, 251))
    assert send(to, receiver) == 0
    assert [body["data"]["number"] for body in receiver.bodies] == [*range(2, 252)]
    assert receiver.closed
    judged(to, [251])
    again = Fake()
    assert send(to, again) == 0
    assert numbers(again.bodies) == [252]


def test_a_receiver_that_was_away_gets_all_of_it_in_order(to):
    said, receiver = [], Fake(away={2: 3, 5: 2})
    judged(to, range(1, 9))
    assert send(to, receiver, said.append) == 0
    assert [body["data"]["number"] for body in receiver.bodies] == [*range(2, 10)]
    assert said == ["fake: away; the verdicts wait", "fake: the verdicts go on"] * 2


def test_what_waits_is_sent_by_the_next_process(to):
    judged(to, range(1, 9))
    assert send(to, Fake(away={4: 10**6}), patience=0.2) == 6
    receiver = Fake()
    assert send(to, receiver) == 0
    assert numbers(receiver.bodies) == [*range(4, 10)]


def test_a_verdict_that_comes_later_is_noticed(to):
    receiver = Fake()
    sender = Sender(to, receiver, lambda line: None)
    judged(to, [1])
    deadline = time.monotonic() + 10
    while not receiver.bodies and time.monotonic() < deadline:
        time.sleep(0.01)
    sender.close()
    assert numbers(receiver.bodies) == [2]


def test_without_a_confirmation_written_down_the_same_ids_come_again(to):
    judged(to, range(1, 5))
    first, second = Fake(), Fake()
    before = (to / "outbox" / "fake").read_text()
    assert send(to, first) == 0
    (to / "outbox" / "fake").write_text(before)  # as a kill in this moment leaves it
    assert send(to, second) == 0
    assert first.bodies == second.bodies


def test_sorting_never_waits_for_a_receiver(to):
    receiver = Fake()
    receiver.open.clear()
    judged(to, [1])
    sender = Sender(to, receiver, lambda line: None)
    begun = time.monotonic()
    for _ in range(100):
        sender.tell()
    assert time.monotonic() - begun < 1
    receiver.open.set()
    assert sender.finish() == 0
    sender.close()


def test_trouble_of_the_thread_is_raised_where_the_line_is_sorted(to):
    receiver = Fake()
    receiver.send = lambda message: 1 / 0
    judged(to, [1])
    sender = Sender(to, receiver, lambda line: None)
    with pytest.raises(ZeroDivisionError):
        sender.finish()
    sender.close()


def test_a_full_disk_stops_no_line_and_loses_no_verdict(to, monkeypatch):
    said, receiver, whole = [], Fake(), outbox.write_atomically
    full = iter([True])

    def write(path, fill):
        if next(full, False):
            raise OSError(28, "No space left on device")
        whole(path, fill)

    monkeypatch.setattr(outbox, "write_atomically", write)
    judged(to, range(1, 4))
    assert send(to, receiver, said.append) == 0
    assert numbers(receiver.bodies) == [2, 3, 4]
    assert said == ["fake: [Errno 28] No space left on device; the verdicts wait"]
    assert (to / "outbox" / "fake").read_text() == "4\n"


def test_a_damaged_note_is_refused(to):
    (to / "outbox" / "fake").write_text("many")
    with pytest.raises(UserError, match="outbox/fake is damaged"):
        Sender(to, Fake(), lambda line: None)


def test_a_message_says_all_of_a_verdict():
    row = Row("ü.png", "f0", "2026-01-01T00:00:00+00:00", "m1", "reject", "reject/ü.png", number=7)
    found = {"class_": "worn", "defect_score": 0.9, "novelty": 0.2, "probabilities": "[0.1, 0.9]"}
    row = replace(row, **found)
    message = message_of(row)
    assert json.loads(message.body) == {
        "id": message.id,
        "type": "verdict",
        "timestamp": "2026-01-01T00:00:00+00:00",
        "data": {
            "number": 7,
            "name": "ü.png",
            "sha256": "f0",
            "verdict": "reject",
            "class": "worn",
            "defect_score": 0.9,
            "novelty": 0.2,
            "probabilities": [0.1, 0.9],
            "reason": "",
            "model": "m1",
        },
    }
    assert message_of(row) == message
    broken = Row("b.png", "f1", "", "m1", "broken", "broken/b.png", reason="cut off", number=8)
    assert json.loads(message_of(broken).body)["data"]["probabilities"] is None


def test_pauses_grow_to_a_minute():
    pauses = [pause_before(attempt) for attempt in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60
