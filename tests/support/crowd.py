"""Simulated people at a page: each answers as fast as a person may, and none is polite."""

import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field

CLASSES = ("ok", "worn", "bent")
_PATIENCE = 300  # seconds that a person tries to deliver one request


@dataclass
class Person(threading.Thread):
    """Somebody who labels until it is time to stop, and then makes sure of the last answer.

    Some answers are sent twice; of some the reply is not waited for, as when a connection is cut,
    and they are sent again; some are taken back. What cannot be delivered is tried again with the
    same uuid.

    Attributes:
        given: Every event that was acknowledged, by uuid.
        answering: Seconds that each delivery of an answer took, from the person's side.
        asking: Seconds that each request for an image took.
        waited: The longest time from the first try to an answer, in seconds.
        trouble: What ended the work too early.
    """

    name_: str
    port: int
    until: float
    seed: int
    given: dict[str, dict] = field(default_factory=dict)
    answering: list[float] = field(default_factory=list)
    asking: list[float] = field(default_factory=list)
    waited: float = 0.0
    trouble: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            self._work(random.Random(self.seed))
        except BaseException as trouble:
            self.trouble = trouble

    def _work(self, dice: random.Random) -> None:
        held: list[dict] = []
        while time.monotonic() < self.until:
            if len(held) < 2:
                ids = ",".join(item["id"] for item in held)
                path = f"/api/next?by={self.name_}&n={3 - len(held)}&held={ids}"
                held += self._deliver("GET", path, None, self.asking)["items"]
            if not held:
                raise RuntimeError("there was nothing to label")
            time.sleep(dice.uniform(0.05, 0.25))  # looks at it
            item, chance = held.pop(0), dice.random()
            kind = "unsure" if chance < 0.05 else "skip" if chance < 0.1 else "label"
            word = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": kind, "seconds": 0.1}
            word["sha256"] = item["sha256"]
            if kind == "label":
                word["label"] = dice.choice(CLASSES)
            self._tell(word, cut=dice.random() < 0.05)
            if dice.random() < 0.1:
                self._tell(word)
            if dice.random() < 0.05:
                undo = {"uuid": str(uuid.uuid4()), "id": item["id"], "kind": "undo"}
                self._tell(undo | {"target": word["uuid"]})

    def _tell(self, word: dict, cut: bool = False) -> None:
        body = json.dumps({"by": self.name_, "events": [word]})
        if cut:
            self._cut(body)
        told = self._deliver("POST", "/api/answers", body, self.answering)
        assert told["stored"] == [word["uuid"]], told
        self.given[word["uuid"]] = word

    def _deliver(self, method: str, path: str, body: str | None, times: list[float]) -> dict:
        """Send until it is answered; a server that is gone comes back."""
        first = time.monotonic()
        while True:
            begun = time.monotonic()
            try:
                answer = self._send(method, path, body)
            except (OSError, http.client.HTTPException):
                if time.monotonic() > first + _PATIENCE:
                    raise
                time.sleep(0.1)
                continue
            times.append(time.monotonic() - begun)
            self.waited = max(self.waited, time.monotonic() - first)
            return answer

    def _send(self, method: str, path: str, body: str | None) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status == 503:  # the store is busy: the page would try again, too
            raise ConnectionError(content)
        assert response.status == 200, (response.status, content)
        return json.loads(content)

    def _cut(self, body: str) -> None:
        """Send an answer and hang up before anything comes back."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("POST", "/api/answers", body, {"Content-Type": "application/json"})
        except OSError:
            pass
        finally:
            connection.close()
