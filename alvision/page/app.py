"""The page over HTTP: which request is answered by what.

Everything but pictures is JSON; an error is `{"error": "one line"}` (`responses.Problem`). The
bodies are described in `requests`, the answers in `responses`; a running page lists both at `/api`
and `/api/openapi.json`. Images have opaque addresses (`id`), the same for ever. A class is named by
its key; `shown` is what people read. `by` is a person's name. An answer sends back the `sha256` of
the picture that was seen, because a file may be replaced meanwhile. On a network,
`GET /?token=...` comes first: it puts the token into a cookie, see `guard`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException

from alvision.core.errors import UserError
from alvision.core.version import __version__
from alvision.data.images import UnreadableImage
from alvision.page import requests, responses, tiles
from alvision.page.assignment import Assignment
from alvision.page.browse import BrowseApi, Filter
from alvision.page.grid import MOST_IN_GRID, GridApi, InHand
from alvision.page.grouping import GroupingApi
from alvision.page.image_urls import Replaced
from alvision.page.labelling import MOST_AT_ONCE, LabellingApi
from alvision.page.languages import SOURCE, catalogue, languages, preferred, sentences
from alvision.page.progress import Progress
from alvision.page.requests import Refused
from alvision.page.state import PageContext, PageState
from alvision.page.vocabulary import VocabularyApi

HERE = Path(__file__).parent
# An address with the bytes in it leads to one picture for ever; an hour is enough for a sitting.
_KEEP = {"cache-control": "private, max-age=3600, immutable"}
# Behind any other address the file may be replaced at any time: the browser asks each time.
_ASK = {"cache-control": "private, no-cache"}
_MOST_TILES = 1 << 20
By = Annotated[requests.Name, Query(description="A person's name.")]


class Page:
    """Join the parts of the server over one state.

    Args:
        context: The data set, the run and the store.

    Attributes:
        state: What the server knows.
        progress: What the page shows around the images; its `update` wants to be called regularly.
        app: The application, unguarded: see `page.guard`.
    """

    def __init__(self, context: PageContext) -> None:
        self.state = PageState(context)
        assignment = Assignment(self.state)
        vocabulary = VocabularyApi(self.state)
        self.progress = Progress(self.state, assignment, vocabulary)
        # FastAPI's own pages load their scripts from a CDN, which a plant's network does not reach.
        self.app = FastAPI(
            title="alvision's labelling page",
            version=__version__,
            openapi_url="/api/openapi.json",
            docs_url=None,
            redoc_url=None,
            responses={"4XX": {"model": responses.Problem}, "5XX": {"model": responses.Problem}},
        )
        _errors(self.app)
        labelling = LabellingApi(self.state, assignment)
        _labelling(self.app, labelling, self.progress)
        _many(self.app, GridApi(self.state, assignment, labelling))
        _looking_back(self.app, BrowseApi(self.state, assignment))
        _agreeing(self.app, vocabulary, GroupingApi(self.state, context.grouping))
        _pictures(self.app, self.state)
        _rows(self.app, self.state)
        _shell(self.app, context.language)


def _labelling(app: FastAPI, labelling: LabellingApi, progress: Progress) -> None:
    @app.get("/api/state")
    def state(
        by: str = Query("", max_length=80, description="A person's name; empty: nobody yet."),
    ) -> responses.State:
        """Return everything that the page shows around the image."""
        return progress.state(by)

    @app.get("/api/next")
    def next(
        by: By,
        n: int = Query(3, ge=0, le=MOST_AT_ONCE, description="How many new images, at most."),
        held: str = Query("", description="Addresses of the images on the page, with commas."),
    ) -> responses.NextItems:
        """Give a person up to n images, and renew the leases of those that the page holds."""
        return labelling.next(by, n, _addresses(held))

    # Unset fields are left out: an opinion has a field only where the model has something to say.
    @app.post("/api/answers", response_model_exclude_unset=True)
    def answers(body: requests.Submission) -> responses.SubmissionResult:
        """Store a person's events; sending the same uuid again stores nothing twice."""
        return labelling.answers(body.by, body.events)

    @app.get("/api/last")
    def last(by: By) -> responses.LastAnswer | None:
        """Return a person's last answer that was not undone, or null."""
        return labelling.last(by)

    @app.post("/api/close")
    def close(body: requests.CloseBatch) -> responses.Stored:
        """End the batch that is being asked: train now."""
        return labelling.close(body.by, body.uuid)


def _looking_back(app: FastAPI, browse: BrowseApi) -> None:
    @app.get("/api/answered")
    def answered(
        by: By,
        label: str | None = Query(None, max_length=80, description="The class that counts."),
        person: str | None = Query(None, max_length=80, description="Who answered."),
        show: Annotated[responses.Show, Query(description="What is special about it.")] = "all",
        hours: float | None = Query(None, gt=0, le=1e6, description="How long ago, at most."),
        search: str = Query("", max_length=80, description="Letters of the name or of a note."),
        offset: int = Query(0, ge=0, description="How many to pass over."),
    ) -> responses.Answered:
        """Return images that were answered, the last answers first."""
        return browse.answered(by, Filter(label, person, show, hours, search.strip()), offset)

    @app.get("/api/about")
    def about(
        id: str = Query(max_length=64, description="Address of the image."),
    ) -> responses.About:
        """Return a photograph's name, when it was taken, and other views of its part."""
        return browse.about(id)


def _addresses(text: str) -> list[str]:
    return [address for address in text.split(",") if address]


def _many(app: FastAPI, grids: GridApi) -> None:
    @app.get("/api/grid")
    def grid(
        by: By,
        label: str | None = Query(None, max_length=80, description="A class; none: the fullest."),
        like: str | None = Query(None, max_length=64, description="An image, instead of a class."),
        n: int = Query(MOST_IN_GRID, ge=1, le=MOST_IN_GRID, description="How many, at most."),
        held: str = Query("", description="Addresses of the images on the page, with commas."),
        without: str = Query("", description="Addresses of those that are answered one by one."),
    ) -> responses.Grid:
        """Give a person images to answer together: of a class, or that look like one image."""
        hands = InHand(by, _addresses(held), _addresses(without))
        return grids.of_class(hands, label, n) if like is None else grids.like(hands, like, n)


def _agreeing(app: FastAPI, vocabulary: VocabularyApi, grouping: GroupingApi) -> None:
    @app.get("/api/book")
    def book() -> responses.LabelBook:
        """Return the label book."""
        return vocabulary.book()

    @app.post("/api/book")
    def edit_book(body: requests.BookEdit) -> responses.BookVersion:
        """Write the entry of one class, if nobody has written in the book since it was read."""
        return vocabulary.edit_book(body)

    @app.get("/api/conflicts")
    def conflicts() -> responses.Conflicts:
        """Return the images that people disagree on."""
        return vocabulary.conflicts()

    @app.post("/api/settle")
    def settle(body: requests.Settlement) -> responses.Stored:
        """Give an image its class, above the votes."""
        return vocabulary.settle(body)

    @app.post("/api/classes")
    def classes(body: requests.ClassChange) -> responses.Classes:
        """Add, rename, merge or mark a class."""
        return vocabulary.change(body)

    @app.post("/api/setup")
    def setup(body: requests.FirstClasses) -> responses.Classes:
        """Store the first classes and the rule for groups."""
        return vocabulary.setup(body, grouping.choose(body))

    @app.get("/api/views")
    def views() -> responses.LookAlikes:
        """Return which photographs look like another view of the same part."""
        return grouping.look_alikes()


def _pictures(app: FastAPI, state: PageState) -> None:
    @app.get(
        "/image/{address}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    def image(
        address: str,
        request: Request,
        size: responses.Size = "full",
        sha256: requests.Sha256 | None = None,
    ) -> Response:
        """Return an image as JPEG, as a thumbnail or at the size of a screen.

        With the `sha256` of an item it is the picture of these bytes, or 410 if they are gone.
        """
        id = state.find(address, sha256)
        if id is None:
            raise Refused("there is no such image", 404)
        try:
            content = state.images.jpeg(id, size, sha256)
        except UnreadableImage as reason:
            raise Refused(f"this image cannot be shown: {reason.reason}", 422) from None
        except Replaced:
            raise Refused("this photograph was replaced since it was given out", 410) from None
        if sha256:
            return Response(content, media_type="image/jpeg", headers=_KEEP)
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={**_ASK, "etag": tag})
        return Response(content, media_type="image/jpeg", headers={**_ASK, "etag": tag})

    @app.get(
        "/tile/{address}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    def tile(
        address: str,
        sha256: requests.Sha256,
        level: int = Query(ge=0, le=tiles.LEVELS, description="0: full size; k: 1 / 2^k of it."),
        column: int = Query(ge=0, le=_MOST_TILES, description="From the left, from 0."),
        row: int = Query(ge=0, le=_MOST_TILES, description="From the top, from 0."),
    ) -> Response:
        """Return a square of 512 pixels of a photograph as JPEG; 404 beyond its edges."""
        id = state.find(address, sha256)
        if id is None:
            raise Refused("there is no such image", 404)
        try:
            content = state.images.tile(id, sha256, tiles.Tile(level, column, row))
        except UnreadableImage as reason:
            raise Refused(f"this image cannot be shown: {reason.reason}", 422) from None
        except Replaced:
            raise Refused("this photograph was replaced since it was given out", 410) from None
        if content is None:
            raise Refused("this tile lies outside the photograph", 404)
        return Response(content, media_type="image/jpeg", headers=_KEEP)

    @app.get(
        "/heatmap/{address}",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
    )
    def heatmap(address: str, sha256: requests.Sha256 | None = None) -> Response:
        """Return where the model looks, or what is unlike other images, as PNG; 404 without."""
        id = state.find(address, sha256)
        path = None
        with state.lock:
            state.refresh()
            if id is not None and id not in state.context.held_out:
                opinion = state.run.opinions.get(id)
                if opinion and (sha256 is None or opinion.sha256 in (None, sha256)):
                    path = state.run.heatmap(opinion)
        try:
            content = path.read_bytes() if path else None
        except OSError:
            content = None
        if content is None:
            raise Refused("there is no heatmap of this image", 404)
        return Response(content, media_type="image/png", headers=_KEEP if sha256 else _ASK)


def _rows(app: FastAPI, state: PageState) -> None:
    @app.get("/api/row")
    def row(
        address: str = Query(max_length=64, description="Address of the row."),
    ) -> responses.RowContent:
        """Return what a table says of a row; 404 where the data are photographs."""
        found = state.context.rows.get(state.images.id(address) or "")
        if found is None:
            raise Refused("there is no such row", 404)
        return responses.RowContent(text=found.text, snippet=found.snippet())


def _shell(app: FastAPI, language: str | None) -> None:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    shell, api = templates.get_template("label.html"), templates.get_template("api.html")
    names = (language,) if language else languages()
    pages = {
        name: shell.render(text=catalogue(name), said=sentences(name), version=__version__)
        for name in names
    }

    def chosen(request: Request) -> str:
        return language or preferred(request.headers.get("accept-language", ""), names)

    @app.get("/", include_in_schema=False)
    def page(request: Request) -> Response:
        name = chosen(request)
        headers = {"content-language": name, "vary": "accept-language"}
        return Response(pages[name], media_type="text/html; charset=utf-8", headers=headers)

    # For programmers: what it lists is described in English alone.
    @app.get("/api", include_in_schema=False)
    def description() -> Response:
        content = api.render(text=catalogue(SOURCE), schema=app.openapi())
        return Response(content, media_type="text/html; charset=utf-8")

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
        # 503 and not 500, because the page then keeps the answers and sends them again.
        return line(503, str(error))
