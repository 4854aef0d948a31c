"""`alvision label` itself: a server, a loop beside it, and kills."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from alvision.labels.store import LabelStore
from alvision.page.secret import keyed
from tests.conftest import paint

pytestmark = pytest.mark.slow
PATIENCE = 240


class Server:
    """The command as a process, and a person who knows the truth."""

    def __init__(self, root, *words, start=True):
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.words = [
            f"data.root={root}", f"out={root.parent / 'run'}", f"page.port={self.port}",
            "page.open=false", "model.weights=null", "data.image.size=32", "model.passes=2",
            "budget.initial=6", "budget.batch=4", "budget.audit=1", "trainer.head_steps=20", *words,
        ]  # fmt: skip
        if start:
            self.start()

    def start(self):
        self.launch()
        wait_for(lambda: self.answers("/"))

    def launch(self):
        command = [sys.executable, "-m", "alvision", "label", *self.words]
        self.process = subprocess.Popen(command, cwd=self.root.parent)

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def answers(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as said:
                return said.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def get(self, path):
        return json.loads(self.answers(path))

    def post(self, path, **body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps({"by": "ann", **body}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as said:
            return json.load(said)

    def state(self):
        return self.get("/api/state?by=ann")

    def label(self, count):
        """Answer so many images with the truth; return the uuids that were stored."""
        secret = (self.root.parent / f"{self.root.name}.alvision" / "page.key").read_text()
        key = bytes.fromhex(secret)
        truth = {
            keyed(key, "image", path.relative_to(self.root).as_posix()): path.parent.name
            for path in self.root.rglob("*.png")
        }
        stored = []
        while len(stored) < count:
            items = self.get(f"/api/next?by=ann&n={count - len(stored)}")["items"]
            assert items
            for item in items:
                word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label",
                        "label": truth[item["id"]], "seconds": 0.5,
                        "sha256": item["sha256"]}  # fmt: skip
                stored += self.post("/api/answers", events=[word])["stored"]
        return stored

    def label_until(self, round):
        """Answer the batches, and only them, until a round asks."""
        stored = []

        def asks():
            batch = self.state()["batch"]
            if batch["round"] >= round:
                return True
            if batch["done"] < batch["size"]:
                stored.extend(self.label(1))
            return False

        wait_for(asks)
        return stored


def wait_for(true):
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.2)
    return found


def alive(pid):
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def children(pid):
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if (entry / "stat").exists()
        and (entry / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid)
    ]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_sitting_with_a_kill_and_a_class_added_in_the_middle(tmp_path):
    root = tmp_path / "photos"
    for label, count in (("ok", 60), ("worn", 30)):
        (root / label).mkdir(parents=True)
        for i in range(count):
            paint(i + 1000 * len(label), label).save(root / label / f"{i:03d}.png")
    server = Server(root)
    try:
        assert server.state()["setup"]
        server.post("/api/setup", classes=["ok", "worn"], defects=["worn"])
        stored = server.label(8)
        wait_for(lambda: server.state()["batch"])
        loop = children(server.process.pid)
        assert loop
        server.kill()
        wait_for(lambda: not any(map(alive, loop)))

        server.start()
        assert not server.state()["setup"]
        assert server.state()["labels"] == 8
        stored += server.label_until(1)
        server.post("/api/classes", uuid=str(uuid.uuid4()), action="add", name="dent")
        number = server.state()["batch"]["round"]
        stored += server.label_until(number + 2)
        state = server.state()
        assert state["trouble"] is None
        assert [one["name"] for one in state["classes"]] == ["ok", "worn", "dent"]
        assert state["labels"] == len(stored)
        # Drawn after all else, and left out where the next round has begun.
        wait_for(lambda: list((tmp_path / "run").glob("rounds/*/heatmaps/*.png")))

        loop = children(server.process.pid)
        server.kill(signal.SIGTERM)
        assert not any(map(alive, loop))
    finally:
        server.process.kill()
        server.process.wait(PATIENCE)
    with LabelStore(tmp_path / "photos.alvision" / "labels.db", shared=True) as store:
        events = store.events()
    assert [event.uuid for event in events if event.kind == "label"] == stored
    rounds = tmp_path / "run" / "rounds"
    assert (rounds / "000" / "metrics.json").exists()
    assert (rounds / "001" / "ranking.csv").exists()
    last = sorted(rounds.glob("*/opinions.json"))[-1]
    told = json.loads(last.read_text())["images"]
    assert {name for one in told.values() for name in one["probabilities"]} == {
        "ok", "worn", "dent",
    }  # fmt: skip
    assert all(0 < len(one["neighbours"]) <= 5 for one in told.values())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_signal_while_the_page_starts_ends_both_processes(tmp_path):
    root = tmp_path / "photos"
    (root / "ok").mkdir(parents=True)
    for i in range(10):
        paint(i, "ok").save(root / "ok" / f"{i:03d}.png")
    server = Server(root, "classes=[ok,worn]", start=False)
    for moment in (0.5, 1.0, 1.5, 2.5, 4.0):
        server.launch()
        time.sleep(moment)
        loop = children(server.process.pid)
        os.kill(server.process.pid, signal.SIGTERM)
        # Negative: before the process listened for it.
        assert server.process.wait(60) in (0, 130, -signal.SIGTERM)
        wait_for(lambda loop=loop: not any(map(alive, loop)))
