"""What stands at the other end of a line: a web server, and an MQTT broker."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alvision.watch.outbox import Message
from alvision.watch.records import FILE, Records, Row
from alvision.watch.webhook import signature
from tests.support.parts import missing

KEY = b"0123456789abcdef0123456789abcdef"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def judged(to: Path, numbers, folder="pass") -> None:
    """Record verdicts as a line does."""
    to.mkdir(parents=True, exist_ok=True)
    records = Records(to / FILE)
    with records.writing():
        for n in numbers:
            name = f"{n:05d}.png"
            records.add(
                Row(name, f"{n:064x}", "2026-01-01T00:00:00+00:00", "m", folder, f"{folder}/{name}")
            )
    records.close()


class WebServer:
    """Take verdicts whose signature is right; `stop` and `start` are an outage."""

    def __init__(self, status=200):
        self.port, self.status, self.bodies, self.wrong = free_port(), status, [], 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/verdicts"

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = Message(self.headers["webhook-id"], body)
                signed = signature(KEY, message, self.headers["webhook-timestamp"])
                if self.headers["webhook-signature"] != signed:
                    outer.wrong += 1
                outer.bodies.append(json.loads(body))
                if outer.status is None:  # killed between its work and its answer
                    self.close_connection = True
                    return
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", outer.url)
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def kill(self):
        status, self.status = self.status, None
        time.sleep(0.1)
        self.stop()
        self.status = status

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def numbers(bodies) -> list[int]:
    """Return what a receiver has that leaves out the ids that it knows: numbers, as they came."""
    return [body["data"]["number"] for body in {body["id"]: body for body in bodies}.values()]


class Broker:
    """Mosquitto, which keeps sessions and messages on the disk."""

    def __init__(self, folder: Path):
        self.port, self.folder = free_port(), folder
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            missing("mosquitto")
        folder.mkdir()
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
            + ("user root\n" if os.getuid() == 0 else "")
        )
        self._program = program
        self.start()

    def start(self):
        command = [self._program, "-c", str(self.folder / "mosquitto.conf")]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise RuntimeError("mosquitto does not start")

    def kill(self):
        self._process.kill()
        self._process.wait()


@contextmanager
def subscriber(port: int, topic: str):
    """Yield the verdicts that arrive, as a machine reads them: with a session that outlives it."""
    from paho.mqtt import client as mqtt

    bodies, ready = [], threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="machine", clean_session=False)
    client.on_connect = lambda client, *rest: client.subscribe(topic, qos=1)
    client.on_subscribe = lambda *rest: ready.set()
    client.on_message = lambda client, data, message: bodies.append(json.loads(message.payload))
    client.reconnect_delay_set(0.05, 0.1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield bodies
    finally:
        client.disconnect()
        client.loop_stop()
