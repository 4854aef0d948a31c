"""Receivers that are killed, and a line that is: nothing is lost, nothing comes out of order."""

import base64
import random
import sys
import threading
import time

import pytest

from alvision.watch.outbox import Sender
from alvision.watch.webhook import Webhook
from tests.integration.watch.test_trouble import start
from tests.support.machine import KEY, Broker, WebServer, judged, numbers, subscriber
from tests.support.parts import imported

VERDICTS, KILLS = 10_000, 5


def outages(receiver, over) -> threading.Thread:
    """Kill a receiver five times while verdicts come, and start it again each time."""
    moments = random.Random(0)

    def run():
        for _ in range(KILLS):
            over.wait(moments.uniform(0.5, 2.0))
            receiver.kill()
            time.sleep(moments.uniform(0.1, 0.5))
            receiver.start()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def feed(to):
    for first in range(0, VERDICTS, 25):
        judged(to, range(first, first + 25))


def delivered(to, receiver, machine):
    """Send all verdicts while the machine has its outages, and by two processes in a row."""
    over = threading.Event()
    judged(to, [])
    sender = Sender(to, receiver(), lambda line: None, pause=lambda attempt: 0.02)
    feeding, killing = threading.Thread(target=feed, args=(to,)), outages(machine, over)
    feeding.start()
    time.sleep(2)
    sender.close()  # as the line's end: the next process goes on
    sender = Sender(to, receiver(), lambda line: None, pause=lambda attempt: 0.02)
    feeding.join()
    killing.join()
    left = sender.finish(patience=30)
    sender.close()
    return left


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_verdicts_and_a_server_that_is_killed_five_times(tmp_path):
    server = WebServer()
    try:
        assert delivered(tmp_path / "line", lambda: Webhook(server.url, KEY), server) == 0
    finally:
        server.stop()
    assert server.wrong == 0
    assert len(server.bodies) > VERDICTS, "some came twice, under the same id"
    assert numbers(server.bodies) == [*range(1, VERDICTS + 1)]


@pytest.mark.slow
@pytest.mark.mosquitto
@pytest.mark.timeout(900)
def test_ten_thousand_verdicts_and_a_broker_that_is_killed_five_times(tmp_path):
    imported("paho.mqtt.client")
    from alvision.watch.mqtt import Mqtt

    broker = Broker(tmp_path / "broker")
    try:
        with subscriber(broker.port, "line3") as bodies:
            time.sleep(2)  # until the broker has written the machine's session to the disk
            url = f"mqtt://127.0.0.1:{broker.port}/line3"
            assert delivered(tmp_path / "line", lambda: Mqtt(url), broker) == 0
            deadline = time.monotonic() + 30
            while len(numbers(bodies)) < VERDICTS and time.monotonic() < deadline:
                time.sleep(0.1)
    finally:
        broker.kill()
    assert numbers(bodies) == [*range(1, VERDICTS + 1)]


@pytest.mark.slow
def test_a_line_tells_a_machine_what_it_judged(shop, monkeypatch, capsys):
    monkeypatch.setenv("ALVISION_WEBHOOK_KEY", base64.b64encode(KEY).decode())
    server = WebServer()
    try:
        shop.deliver(range(8))
        assert shop.watch(f"webhook={server.url}") == 0
        assert numbers(server.bodies) == [*range(1, 9)]
        verdicts = {body["data"]["name"]: body["data"]["verdict"] for body in server.bodies}
        assert verdicts == {row.name: row.folder for row in shop.rows()}
        server.stop()
        shop.deliver(range(8, 12))
        monkeypatch.setattr("alvision.watch.outbox._PATIENCE", 0.5)
        assert shop.watch(f"webhook={server.url}") == 0
        said = capsys.readouterr().out.replace("\n", " ")
        assert "cannot be reached" in said
        assert "4 verdicts wait; the same command sends them" in said
        server.start()
        assert shop.watch(f"webhook={server.url}") == 0
    finally:
        server.stop()
    assert numbers(server.bodies) == [*range(1, 13)]


@pytest.mark.slow
def test_a_webhook_without_a_key_is_refused_before_anything_is_sorted(shop, monkeypatch, capsys):
    monkeypatch.delenv("ALVISION_WEBHOOK_KEY", raising=False)
    shop.deliver([0])
    assert shop.watch("webhook=http://127.0.0.1:9/") == 2
    assert "ALVISION_WEBHOOK_KEY is not set" in capsys.readouterr().err
    assert len(list(shop.inbox.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal of POSIX")
def test_a_line_that_is_killed_tells_every_verdict(shop, monkeypatch):
    monkeypatch.setenv("ALVISION_WEBHOOK_KEY", base64.b64encode(KEY).decode())
    server, moments = WebServer(), random.Random(0)
    try:
        shop.deliver([0])
        assert shop.watch(f"webhook={server.url}") == 0
        for first in (1, 101, 201):
            shop.deliver(range(first, first + 100))
            with start(shop, f"webhook={server.url}") as watcher:
                seen = len(server.bodies)
                while len(server.bodies) == seen:
                    time.sleep(0.01)
                time.sleep(moments.uniform(0, 0.1))
                watcher.kill()
                watcher.communicate(timeout=60)
        assert shop.watch(f"webhook={server.url}") == 0
    finally:
        server.stop()
    assert numbers(server.bodies) == [*range(1, 302)]
    assert len(shop.rows()) == 301
