"""The page over HTTP. Everything but pictures is JSON; an error is `{"error": "one line"}`.

Images have opaque addresses (`id` below), the same for ever. A class is named by its key, the name
that it was configured or added by; `shown` is what people read. `by` is a person's name.

- `GET /` and `GET /static/<file>`: the page. On a network: `GET /?token=...` first.
- `GET /image/<id>?size=thumb|full`: JPEG. `GET /heatmap/<id>`: PNG; 404 while there is none.
- `GET /api/state?by=`: `store` (names the data set), `setup` (classes are wanted), `classes`
  [{name, shown, defect}], `labels`, `mine`, `seconds`, `book_version`, `conflicts`, `people`,
  `experts`, `blind`, `batch` {round, done, size}, `phase` (features, asking, training, done),
  `trouble`, `metric`, `curve` [{labels, value, low, high}], `changed` [{item, before, after}],
  `changed_count`, `hours_left`, `predicted` [{name, answers}].
- `GET /api/next?by=&n=&held=<id,id>`: `items` and `message` (why there is none). `held` are those
  that the page has already; their leases are renewed. An item: `id`, `round`, `width`, `height`,
  `slot`, `blind`, `votes`, `reason`, `probabilities` [[class, p]], `neighbours` [{id, label}],
  `heatmap`. A blind item holds nothing that the model says.
- `POST /api/answers` {by, events: [{uuid, kind, id, label, target, note, seconds, round,
  book_version}]}, kind label, skip, unsure, undo or flag: `stored` and `refused` [{uuid, error}];
  `opinions` where `page.blind` had hidden them. Sending the same uuid again records nothing twice.
- `GET /api/last?by=`: the person's last answer that stands: uuid, kind, label, item; or null.
- `GET /api/book`; `POST /api/book` {by, uuid, base, name, rule, example, counter, borderline}.
- `GET /api/conflicts`; `POST /api/settle` {by, uuid, id, label}.
- `POST /api/classes` {by, uuid, action: add|rename|merge, name, to, defect}.
- `POST /api/setup` {by, classes, defects}; `POST /api/close` {by, uuid}: train now.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException

from alvision.core.errors import UserError
from alvision.core.version import __version__
from alvision.data.images import UnreadableImage
from alvision.page import requests
from alvision.page.assignment import Desk
from alvision.page.context import Setting
from alvision.page.labelling import Room
from alvision.page.progress import Head
from alvision.page.requests import Refused
from alvision.page.state import Board
from alvision.page.vocabulary import Office

HERE = Path(__file__).parent
_KEEP = {"cache-control": "private, max-age=3600, immutable"}
By = Annotated[requests.Name, Query()]


class Page:
    """The parts of the server over one board.

    Args:
        setting: The data set, the run and the store.

    Attributes:
        board: The state.
        head: What is told around the images; its `look` wants to be called now and then.
        app: What serves it all over HTTP, unguarded: see `page.guard`.
    """

    def __init__(self, setting: Setting) -> None:
        self.board = Board(setting)
        desk = Desk(self.board)
        office = Office(self.board)
        self.head = Head(self.board, desk, office)
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        _errors(self.app)
        _labelling(self.app, Room(self.board, desk), self.head)
        _agreeing(self.app, office)
        _pictures(self.app, self.board)
        _shell(self.app)


def _labelling(app: FastAPI, room: Room, head: Head) -> None:
    @app.get("/api/state")
    def state(by: str = Query("", max_length=80)) -> dict[str, Any]:
        return head.state(by)

    @app.get("/api/next")
    def next(by: By, n: int = Query(3, ge=0, le=24), held: str = "") -> dict[str, Any]:
        return room.next(by, n, [address for address in held.split(",") if address])

    @app.post("/api/answers")
    def answers(said: requests.Words) -> dict[str, Any]:
        return room.answers(said.by, said.events)

    @app.get("/api/last")
    def last(by: By) -> dict[str, Any] | None:
        return room.last(by)

    @app.post("/api/close")
    def close(said: requests.Close) -> dict[str, Any]:
        return room.close(said.by, said.uuid)


def _agreeing(app: FastAPI, office: Office) -> None:
    @app.get("/api/book")
    def book() -> dict[str, Any]:
        return office.book()

    @app.post("/api/book")
    def write(said: requests.Entry) -> dict[str, Any]:
        return office.write(said)

    @app.get("/api/conflicts")
    def conflicts() -> dict[str, Any]:
        return office.conflicts()

    @app.post("/api/settle")
    def settle(said: requests.Settlement) -> dict[str, Any]:
        return office.settle(said)

    @app.post("/api/classes")
    def classes(said: requests.Change) -> dict[str, Any]:
        return office.change(said)

    @app.post("/api/setup")
    def setup(said: requests.Setup) -> dict[str, Any]:
        return office.setup(said)


def _pictures(app: FastAPI, board: Board) -> None:
    @app.get("/image/{address}")
    def image(address: str, size: str = Query("full", pattern="^(thumb|full)$")) -> Response:
        id = board.pictures.id(address)
        if id is None:
            raise Refused("there is no such image", 404)
        try:
            content = board.pictures.jpeg(id, size)
        except UnreadableImage as reason:
            raise Refused(f"this image cannot be shown: {reason.reason}", 422) from None
        if size == "full":
            board.hash_of(id)  # its answer will ask for it
        return Response(content, media_type="image/jpeg", headers=_KEEP)

    @app.get("/heatmap/{address}")
    def heatmap(address: str) -> Response:
        id = board.pictures.id(address)
        with board.lock:
            board.refresh()
            found = board.watch.opinions.get(id or "")
            known = found is not None and found["heatmap"] and id not in board.setting.held_out
            path = board.watch.heatmap(found["heatmap"]) if found and known else None
        try:
            content = path.read_bytes() if path else None
        except OSError:
            content = None
        if content is None:
            raise Refused("there is no heatmap of this image", 404)
        return Response(content, media_type="image/png", headers=_KEEP)


def _shell(app: FastAPI) -> None:
    text = json.loads((HERE / "text" / "en.json").read_text(encoding="utf-8"))
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    shell = templates.get_template("label.html").render(text=text, version=__version__)

    @app.get("/")
    def page() -> Response:
        return Response(shell, media_type="text/html; charset=utf-8")

    app.mount("/static", StaticFiles(directory=HERE / "static"))


def _errors(app: FastAPI) -> None:
    def line(status: int, message: str) -> JSONResponse:
        return JSONResponse({"error": " ".join(message.split())}, status)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return line(error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return line(400, f"{where or 'the body'}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return line(error.status_code, str(error.detail))

    @app.exception_handler(UserError)
    async def trouble(request: Request, error: UserError) -> JSONResponse:
        return line(503, str(error))  # the page keeps the answers and sends them again
