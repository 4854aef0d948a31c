"""`serve`: a bundle as a web server, for machines that ask for a verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alvision.cli.console import console
from alvision.cli.options import Options, option
from alvision.config.limits import between
from alvision.core.errors import UserError

TOKEN = "ALVISION_SERVE_TOKEN"
USAGE = f"""\
alvision serve bundle=brakes.bundle
curl --data-binary @part.png -H "Content-Type: image/png" http://127.0.0.1:8124/verdict

POST /verdict answers a photograph with its verdict, as JSON; photographs that wait
are judged together. GET /health and /metrics (Prometheus) are for those who look
after it, /openapi.json describes all of it. With host= of a network, requests must
bear the token in {TOKEN} (Authorization: Bearer ...)."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Options):
    """The words of `serve`."""

    command = "serve"
    example = "alvision serve bundle=brakes.bundle"

    bundle: Path = option("The bundle that judges.")
    host: str = option("Address to listen on; 0.0.0.0 for the network.", default="127.0.0.1")
    port: int = option("Port.", default=8124, limits=between(at_least=1, at_most=65535))
    largest: int = option(
        "Megabytes of a photograph, at most.",
        default=50,
        limits=between(at_least=1, at_most=2000),
    )


OPTIONS = (ServeOptions,)


def serve(words: list[str]) -> int:
    """Serve until a signal asks to stop."""
    options = ServeOptions.parse(words)

    from alvision.core.listening import is_loopback
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.serve.app import application
    from alvision.serve.server import run

    token = None
    if not is_loopback(options.host):
        token = os.environ.get(TOKEN, "").strip()
        if len(token) < 16:
            raise UserError(
                f"host={options.host} is a network: put a token of at least 16 characters into"
                f" {TOKEN}, as `openssl rand -hex 16` prints one"
            )
    bundle = open_bundle(options.bundle)
    app = application(bundle, largest=options.largest * 1_000_000, token=token)
    run(app, options.host, options.port, lambda line: console.print(line, markup=False))
    return 0
