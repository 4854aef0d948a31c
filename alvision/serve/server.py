"""The server's process: it listens on an address until a signal asks it to end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from alvision.core.listening import listen
from alvision.core.web_server import WebServer

_SHUTDOWN_SECONDS = 5


def run(app: FastAPI, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve an application until a signal asks to stop.

    Raises:
        UserError: The address cannot be listened on.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    with contextlib.closing(listen(host, port)) as listening:
        name = f"[{host}]" if ":" in host else host
        say(f"verdicts at http://{name}:{port}/verdict; Ctrl-C ends it")
        WebServer(config).run(sockets=[listening])
