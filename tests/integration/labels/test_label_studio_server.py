"""Out to a real Label Studio server and back."""

import http.server
import io
import threading
import urllib.request

import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.core.records import Query, QueryRow
from alvision.labels.consensus import Settled, consensus
from alvision.labels.exchange.label_studio_server import Server, pull, push
from alvision.labels.store import LabelStore
from alvision.labels.voting import agreement
from tests.support import label_studio

CLASSES = ["ok", 'wörn, "x"\nnew line', "<b>&amp;"]
TITLE = 'Prüfung, "line 3"'


@pytest.mark.label_studio
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_batch_goes_out_and_two_people_who_disagree_come_back(tmp_path):
    ids = [f"worn/{i}.png" for i in range(4)]
    hashes = {id: f"{i}" * 64 for i, id in enumerate(ids)}
    rows = [
        QueryRow(ids[0], 0, 0.9, prediction=CLASSES[1], reason='between "ok" & worn, see <b>'),
        QueryRow(ids[1], 1, 0.4, prediction="ok", reason=""),
        QueryRow(ids[2], 2, slot="audit", reason="drawn at random"),
    ]

    def copy(id, folder, name):
        Image.new("RGB", (16, 16), "red").save(folder / f"{name}.png")
        return folder / f"{name}.png"

    with label_studio.server() as url, LabelStore(tmp_path / "labels.db") as store:
        with pytest.raises(UserError, match="LABEL_STUDIO_API_KEY"):
            Server(url, "wrong").project(TITLE)
        server = Server(url, label_studio.TOKEN)
        known = {"title": TITLE, "classes": CLASSES}
        data = {"ids": ids, "hashes": hashes}
        with pytest.raises(UserError, match="push first"):
            pull(server, store, **known, **data)

        def send(*rows):
            return push(server, Query(3, rows), **known, hashes=hashes, copy=copy)

        assert send(*rows) == (3, 0)
        assert send(*rows, QueryRow(ids[3], 3)) == (1, 3), "what is there is not sent again"
        project = server.project(TITLE)
        tasks = {task["data"]["sha256"]: task for task in server.tasks(project["id"])}
        assert tasks.keys() == set(hashes.values())
        first = tasks[hashes[ids[0]]]
        assert first["data"]["reason"] == 'between "ok" & worn, see <b>'
        whole = server.call("GET", f"/api/tasks/{first['id']}")
        (prediction,) = whole["predictions"]
        assert prediction["score"] == 0.9
        assert prediction["result"][0]["value"]["choices"] == [CLASSES[1]]
        assert tasks[hashes[ids[2]]]["total_predictions"] == 0
        assert url not in first["data"]["image"]
        assert image_of(server, first) == (16, 16)

        bert = server.call("POST", "/api/users", {"email": "bert@example.com", "username": "bert"})
        anna = server.call("GET", "/api/users")[0]

        def answer(id, choice, who, **more):
            result = {"from_name": "choice", "to_name": "image", "type": "choices",
                      "value": {"choices": [choice]}}  # fmt: skip
            content = {"result": [result], "completed_by": who["id"], "lead_time": 2.5, **more}
            path = f"/api/tasks/{tasks[hashes[id]]['id']}/annotations"
            return server.call("POST", path, content)

        given = answer(ids[0], CLASSES[1], anna)
        other = answer(ids[0], "ok", bert)
        answer(ids[1], CLASSES[2], anna)
        answer(ids[1], CLASSES[2], bert)
        answer(ids[2], "unsure", bert)
        answer(ids[3], "ok", bert, was_cancelled=True)
        assert str(pull(server, store, **known, **data)) == (
            "5 added, 0 known already, 1 without a label"
        )
        assert str(pull(server, store, **known, **data)).startswith("0 added, 5 known already")
        a, b = "anna@example.com", "bert@example.com"
        assert consensus(store.events()) == {
            ids[0]: Settled("ok", {a: CLASSES[1], b: "ok"}, conflict=True),
            ids[1]: Settled(CLASSES[2], {a: CLASSES[2], b: CLASSES[2]}, conflict=False),
        }
        assert [e.kind for e in store.events() if e.id == ids[2]] == ["unsure"]
        assert {e.seconds for e in store.events()} == {2.5}

        # Anna changes her mind over there, with a token of the other kind.
        refresh = server.call("POST", "/api/token", {})["token"]
        newer = Server(url, refresh)
        changed = {**given["result"][0], "value": {"choices": ["ok"]}}
        newer.call("PATCH", f"/api/annotations/{given['id']}", {"result": [changed]})
        assert pull(newer, store, **known, **data).added == 1
        settled = consensus(store.events())
        assert settled[ids[0]] == Settled("ok", {b: "ok", a: "ok"}, conflict=False)
        assert agreement(settled)[a].agreed == 2

        # What they delete, cancel and empty over there is taken back here.
        bin = answer(ids[3], "ok", anna)
        assert pull(server, store, **known, **data).added == 1
        server.call("DELETE", f"/api/annotations/{bin['id']}")
        server.call("PATCH", f"/api/annotations/{other['id']}", {"was_cancelled": True})
        server.call("PATCH", f"/api/annotations/{given['id']}", {"result": []})
        counts = pull(server, store, **known, **data)
        assert (counts.added, counts.taken_back) == (0, 4)
        assert consensus(store.events()).keys() == {ids[1]}
        assert pull(server, store, **known, **data).taken_back == 0
        assert all(event.time for event in store.events())


def image_of(server, task):
    """Fetch a task's image as the page would, and return its size."""
    request = urllib.request.Request(
        server.url + task["data"]["image"], headers={"Authorization": server._authorization}
    )
    with server._opener.open(request, timeout=60) as response:
        return Image.open(io.BytesIO(response.read())).size


def test_where_nobody_answers_it_says_so():
    with pytest.raises(UserError, match=r"no Label Studio answers at http://127\.0\.0\.1:1 "):
        Server("http://127.0.0.1:1", "t").project("x")
    with pytest.raises(UserError, match="is not an address"):
        Server("localhost:8080", "t")


def test_another_server_is_no_label_studio():
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as web:
        thread = threading.Thread(target=web.handle_request)
        thread.start()
        with pytest.raises(UserError, match="no Label Studio answers"):
            Server(f"http://127.0.0.1:{web.server_port}", "t").project("x")
        thread.join()
