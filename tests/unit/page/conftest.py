"""A page over a small data set and a real store, spoken to over HTTP without a network."""

import json
import uuid

import pytest
from starlette.testclient import TestClient

from alvision.core.records import Query, QueryRow
from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.state import PageContext
from alvision.run_folder.round_files import QueryFile
from tests.conftest import paint

SECRET = bytes(range(32))


class Client(TestClient):
    """Speaks as a browser on this machine does, and knows the shortest way to each request."""

    page: Page

    def read(self, path, **params):
        self.page.state._polled = -1e9  # at the round's files, at once and not after a pause
        answer = self.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tell(self, path, *, status=200, **body):
        self.page.state._polled = -1e9
        answer = self.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def items(self, by="ann", n=3, held=()):
        return self.read("/api/next", by=by, n=n, held=",".join(held))["items"]

    def say(self, address, label="ok", *, by="ann", kind="label", **more):
        seen = self.page.state.hash_of(self.id(address))
        word = {"uuid": str(uuid.uuid4()), "id": address, "sha256": seen, "kind": kind, **more}
        if kind == "label":
            word["label"] = label
        told = self.tell("/api/answers", by=by, events=[word])
        assert told["refused"] == [], told
        return word["uuid"]

    def state(self, by="ann"):
        return self.read("/api/state", by=by)

    def id(self, address):
        return self.page.state.images.id(address)

    def address(self, id):
        return self.page.state.images.address(id)


def photographs(folder):
    """Return 12 images by id; the folder's name gives a class away."""
    root = folder / "photos" / "worn"
    root.mkdir(parents=True)
    paths = {}
    for i in range(12):
        paths[f"worn/{i:02d}.png"] = root / f"{i:02d}.png"
        paint(i, "ok", side=12).save(root / f"{i:02d}.png")
    return paths


def open_page(folder, store, token=None, **settings):
    """Start a server anew, as after a kill: nothing is kept in memory."""
    held_out = frozenset(["worn/10.png", "worn/11.png"])
    known = {"classes": ("ok", "worn"), "defects": ("worn",), "metric": metric("macro_f1")}
    page = Page(
        PageContext(
            root=folder / "run",
            store=store,
            held_out=held_out,
            secret=SECRET,
            cache=folder / "thumbnails",
            **{**known, **settings},
        )
    )
    base = "http://127.0.0.1:8642" if token is None else "http://192.168.7.7:8642"
    client = Client(Guard(page.app, token=token), base_url=base)
    client.page = page
    return client


@pytest.fixture
def photos(tmp_path):
    return photographs(tmp_path)


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.db", shared=True) as store, store.database.held():
        yield store


@pytest.fixture
def make_page(tmp_path, photos, store):
    def make(token=None, **settings):
        return open_page(tmp_path, store, token, **{"paths": photos, **settings})

    return make


@pytest.fixture
def page(make_page):
    return make_page()


@pytest.fixture(scope="module")
def old_page(tmp_path_factory):
    """Return a page that all tests of a module share; for requests that come to nothing."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "secret.txt").write_text("SECRET")
    with LabelStore(folder / "labels.db", shared=True) as store, store.database.held():
        yield open_page(folder, store, paths=photographs(folder))


@pytest.fixture
def ask(tmp_path):
    """Return a function that writes what the loop's process would: a batch and more."""

    def ask(*ids, round=0, audit=(), again=(), ranking=(), opinions=None, prediction="ok"):
        folder = tmp_path / "run" / "rounds" / f"{round:03d}"
        folder.mkdir(parents=True)

        def row(id, rank, slot="acquisition"):
            said = None if slot in ("audit", "gold") else prediction
            return QueryRow(id, rank, 0.5, slot, prediction=said, reason="between ok and worn")

        rows = [row(id, rank) for rank, id in enumerate(ids)]
        rows += [row(id, len(ids) + rank, "audit") for rank, id in enumerate(audit)]
        rows += [row(id, len(rows) + i, slot) for i, (id, slot) in enumerate(again)]
        spare = [row(one, i) if isinstance(one, str) else row(one[0], i, one[1])
                 for i, one in enumerate(ranking)]  # fmt: skip
        if opinions is not None:
            (folder / "opinions.json").write_text(json.dumps({"images": opinions}))
        QueryFile().write(Query(round, tuple(spare)), folder / "ranking.csv")
        QueryFile().write(Query(round, tuple(rows)), folder / "query.csv")
        return folder

    return ask
