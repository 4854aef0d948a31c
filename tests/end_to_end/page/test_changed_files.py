"""The second week of a page: photographs come, go, move and are replaced, open page or not."""

import hashlib
import urllib.error
import uuid
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import paint
from tests.end_to_end.page.conftest import CLASSES, painted
from tests.end_to_end.page.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Walk:
    """A person who remembers which bytes were on the screen at each answer."""

    def __init__(self, page, server):
        self.person = Person(page, server.url, CLASSES).open("Ana")
        self.server = server
        self.said = []

    def seen(self):
        """Return the hash of the photograph on the screen."""
        return parse_qs(urlsplit(self.person.source()).query)["sha256"][0]

    def files(self):
        """Return the file of each content of now."""
        return {sha(path): path for path in sorted(self.server.root.rglob("*.png"))}

    def label(self, key=None):
        """Answer the photograph on the screen; one that is gone for good is passed over."""
        shown = self.seen()
        try:
            self.person.press(key or "123"[len(self.said) % 3])
        except Exception as error:
            said = [self.person.text(place) for place in ("#last", "#saved", "#notice", "#idle")]
            reply = self.server.get("/api/next?by=Ana&n=1")
            raise AssertionError(f"the page stays as it is: {said}, {reply}") from error
        if not self.person.text("#last").startswith("Not saved"):
            self.said.append((shown, self.person.said[-1][2]))

    def train_now(self, number):
        """End the batch that is being asked, and wait until a round asks that is no earlier."""
        self.label()
        state = self.server.wait_for("/api/state?by=Ana", lambda state: state["batch"])
        if state["batch"]["round"] < number:
            with suppress(urllib.error.HTTPError):  # it trains already
                self.server.post("/api/close", {"by": "Ana", "uuid": str(uuid.uuid4())})
        self.server.wait_for("/api/state?by=Ana", round_asks(number))
        self.label()

    def retake(self, path, number):
        paint(number, "dent", 64).save(path)

    def news(self, text):
        self.person.page.wait_for_function(
            "(text) => document.querySelector('#notice').title.includes(text)", arg=text
        )


def round_asks(number):
    """Return what tells whether a round asks, or a later one does."""
    return lambda state: state["batch"] is not None and state["batch"]["round"] >= number


def test_a_second_week_of_photographs_that_come_go_move_and_are_replaced(chromium, serve, tmp_path):
    root = painted(tmp_path / "photos", 60)
    words = ["classes=[ok,scratch,dent]", "budget.batch=5", "budget.audit=1"]
    server = serve(root, *words)
    context = chromium.new_context()
    walk = Walk(context.new_page(), server)

    # Retaken while it is on the screen: the answer is about what was seen.
    walk.label()
    shown = walk.seen()
    retaken = walk.files()[shown]
    walk.retake(retaken, 900)
    walk.label("2")
    assert walk.said[-1] == (shown, "scratch")
    server.wait_for("/api/state?by=Ana", round_asks(0))
    for _ in range(6):
        walk.label()

    # All at once while the page is open.
    labelled = [path for content, path in walk.files().items() if content in dict(walk.said)]
    fresh = [path for content, path in walk.files().items() if content not in dict(walk.said)]
    renamed = labelled[0].rename(root / "renamed.png")
    (root / "lot 7").mkdir()
    moved = labelled[1].rename(root / "lot 7" / labelled[1].name)
    walk.retake(labelled[2], 901)
    fresh[0].unlink()
    for number in (902, 903):
        paint(number, "ok", 64).save(root / f"new {number}.png")
    added = {sha(root / f"new {number}.png") for number in (902, 903)}
    walk.news("2 photographs were moved and keep their answers")
    walk.news("replaced and")
    walk.news("2 photographs are new")
    walk.train_now(1)
    assert server.get("/api/state?by=Ana")["trouble"] is None

    # And between two starts, in the batch that is being asked.
    server.stop()
    batch = (server.out / "rounds" / "001" / "query.csv").read_text(encoding="utf-8")
    asked = [line.split(",")[0] for line in batch.splitlines()[1:]]
    (root / asked[0]).rename(root / "moved again.png")
    (root / asked[1]).unlink()
    walk.retake(root / asked[2], 904)
    server.start()
    walk.person.wait_until_stored()
    walk.train_now(2)
    assert server.get("/api/state?by=Ana")["trouble"] is None

    # The drive is taken away and comes back.
    root.rename(tmp_path / "away")
    walk.news("photos")
    (tmp_path / "away").rename(root)
    walk.train_now(3)

    context.close()
    server.stop()
    stored = [(event.sha256, event.label) for event in server.events() if event.kind == "label"]
    assert stored == walk.said
    there = walk.files()
    assert {sha(renamed), sha(moved)} <= {content for content, _ in stored}
    everything = "".join(
        path.read_text(encoding="utf-8") for path in server.out.glob("rounds/*/*.csv")
    )
    assert any(content in everything for content in added) or added & dict(stored).keys()
    assert len({content for content, _ in stored if content in there}) >= 10
    # Chromium itself writes a line for a picture whose file went just before it was loaded.
    assert [line for line in walk.person.errors if f"({server.url}/image/" not in line] == []
