"""The server's requests: a photograph for a verdict, its health, its measures."""

from __future__ import annotations

import asyncio
import hmac
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException

from alvision.core.version import __version__
from alvision.data.images import UnreadableImage, load
from alvision.data.tiles import black
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.verdict import NO_NUMBERS
from alvision.serve.batches import Batches, Busy
from alvision.serve.measures import Measures

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PICTURE = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Verdict(BaseModel):
    """What the bundle says of a photograph, in the words of `watch`."""

    name: str = Field(description="As it was given in the request.")
    verdict: str = Field(
        description="pass, human, reject or new; empty where no class is a defect."
    )
    class_: str = Field(alias="class", description="The likeliest class.")
    defect_score: float = Field(description="Probability that the part is defective.")
    novelty: float = Field(description="Above 1: unlike all known photographs.")
    probabilities: list[float] = Field(description="Of each class, in the order of /health.")
    model: str = Field(description="What decided: a hash of the bundle and its threshold.")


class Health(BaseModel):
    """What runs here."""

    status: str
    model: str
    classes: list[str]
    defects: list[str]
    promise: str | None = Field(description="The promise of the threshold; null without one.")


class Problem(BaseModel):
    """Why there is no verdict."""

    error: str


def application(bundle: Bundle, *, largest: int, token: str | None) -> FastAPI:
    """Return the server's application.

    Args:
        bundle: The bundle that judges.
        largest: Bytes of a photograph, at most.
        token: What requests must bear; None: only requests to this machine's own name are answered.

    Raises:
        UserError: A package is missing.
    """
    # Every file is read now, because another bundle may take the folder before a photograph comes.
    bundle.decide(bundle.run(black(bundle.spec)[None]))
    measures = Measures(bundle.model, lambda: batches.waiting)
    batches = Batches(bundle, measures.batches.observe)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="alvision-serve-") as folder:
            app.state.folder = Path(folder)
            yield
            await run_in_threadpool(batches.close)

    app = FastAPI(
        title="alvision serve",
        version=__version__,
        description="Verdicts of one bundle.",
        # FastAPI's own pages load their scripts from a CDN, which a plant's network does not reach.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    _refusals(app, measures)

    @app.post("/verdict", openapi_extra=_PICTURE)
    async def verdict(
        request: Request, name: Annotated[str, Query(max_length=500)] = ""
    ) -> Verdict:
        """Judge the photograph in the body."""
        _allowed(request, token)
        began = time.perf_counter()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise HTTPException(415, "the content type must be image/... of the photograph")
        body = await _body(request, largest)
        place = app.state.folder / f"{uuid.uuid4().hex}{'.heic' if 'hei' in kind else '.image'}"
        try:
            pixels = await run_in_threadpool(_decoded, place, body, bundle)
            decision = await asyncio.wrap_future(batches.judge(pixels))
        except UnreadableImage as error:
            raise HTTPException(422, f"the photograph cannot be read: {error.reason}") from None
        except Busy:
            raise HTTPException(503, "too many photographs wait", {"Retry-After": "1"}) from None
        if decision is None:
            raise HTTPException(422, f"the photograph cannot be judged: {NO_NUMBERS}")
        measures.seconds.observe(time.perf_counter() - began)
        said = "new" if decision.novelty > 1 else decision.verdict
        measures.verdicts.labels(said).inc()
        content = {
            "name": name,
            "verdict": said,
            "class": decision.class_name,
            "defect_score": decision.defect_score,
            "novelty": decision.novelty,
            "probabilities": decision.probabilities,
            "model": bundle.model,
        }
        return Verdict.model_validate(content)

    @app.get("/health")
    async def health(response: Response) -> Health:
        """Tell whether photographs are judged; status 503 if not."""
        if not batches.alive:
            response.status_code = 503
        return Health(
            status="ok" if batches.alive else "the network has stopped",
            model=bundle.model,
            classes=list(bundle.classes),
            defects=list(bundle.defects),
            promise=bundle.promise,
        )

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Return the measures in Prometheus' text format."""
        _allowed(request, token)
        return Response(measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _decoded(place: Path, body: bytes, bundle: Bundle) -> np.ndarray:
    """Return the pixels of a photograph; a file, because photographs are read in one way."""
    place.write_bytes(body)
    try:
        return load(place, bundle.spec)
    finally:
        place.unlink()


async def _body(request: Request, largest: int) -> bytes:
    """Read a body, no more of it than is allowed."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise HTTPException(413, f"the photograph has more than {largest} bytes (largest=)")
    return bytes(body)


def _allowed(request: Request, token: str | None) -> None:
    """Refuse whoever lacks the token; where there is none, whoever is not of this machine."""
    if token is None:
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name not in LOOPBACK or "origin" in request.headers:
            raise HTTPException(403, "this server answers programs on this machine only")
        return
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        raise HTTPException(401, "the token is missing: Authorization: Bearer ...")


def _refusals(app: FastAPI, measures: Measures) -> None:
    """Answer whatever goes wrong as a `Problem`, and count it."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        status, said, headers = 500, "the photograph could not be judged", None
        if isinstance(error, AnyHTTPException):
            status, said, headers = error.status_code, error.detail, error.headers
        elif isinstance(error, RequestValidationError):
            first = error.errors()[0]
            status, said = 422, f"{first['loc'][-1]}: {first['msg']}"
        measures.refused.labels(str(status)).inc()
        return JSONResponse({"error": said}, status, headers)

    for kind in (AnyHTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, refused)
