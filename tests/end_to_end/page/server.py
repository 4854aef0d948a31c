"""`alvision label` as a process of its own, which can be killed and started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from alvision.labels.location import labels_location
from alvision.labels.store import LabelStore
from alvision.page.image_urls import ServedImages
from alvision.page.secret import read_secret

PATIENCE = 180.0  # seconds; the machine may be busy with other tests
SMALL = [
    "budget.initial=12",
    "model=small",
    "model.training=frozen",
    "data.image.size=64",
]


class Server:
    """Serve a folder of images on a free port of this machine."""

    def __init__(self, root: Path, out: Path, *words: str, port: int | None = None) -> None:
        self.root = root
        self.out = out
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._words = [f"data.root={root}", f"page.port={self.port}", "page.open=false"]
        self._words += [f"out={out}", *SMALL, *words]
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> "Server":
        out = self.out.with_name(f"{self.out.name}.log")
        with out.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "alvision", "label", *self._words],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "ALVISION_CACHE": f"{self.out}.cache"},
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.get("/api/state?by=")
                return self
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                ended = self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise AssertionError(f"the page did not start:\n{out.read_text()}") from None
                time.sleep(0.1)

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as response:
            return json.load(response)

    def post(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def label(self, by: str, count: int, label_of: Callable[[str], str]) -> None:
        """Answer images as `by` would on the page."""
        for _ in range(count):
            item = self.get(f"/api/next?by={by}&n=1")["items"][0]
            label = label_of(self.image(item["id"]))
            event = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "label", "label": label}
            event["sha256"] = item["sha256"]
            said = self.post("/api/answers", {"by": by, "events": [event]})
            assert said["stored"] == [event["uuid"]]

    def wait_for(self, path: str, wanted: Callable[[dict], bool]) -> dict:
        """Ask until an answer is as wanted: the model trains meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(found := self.get(path)):
            assert time.monotonic() < deadline, f"{path} stayed {found}"
            time.sleep(0.2)
        return found

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def events(self) -> list:
        """Read the store's log as it is on disk."""
        with LabelStore(labels_location(self.root), shared=True) as store:
            return list(store.events())

    def image(self, address: str) -> str:
        """Return the image at an address of the page."""
        paths = {path.name: path for path in self.root.glob("*.png")}
        secret = read_secret(labels_location(self.root).with_name("page.key"))
        found = ServedImages(paths, secret, self.out / "unused").id(address)
        assert found is not None, f"no image has the address {address}"
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(app: object):
    """Serve an application on a free port, from a thread of this process."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
