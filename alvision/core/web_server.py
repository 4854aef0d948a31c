"""A web server that ends as every command of alvision does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import uvicorn

from alvision.core import stopping


class WebServer(uvicorn.Server):
    """Ends when this process is asked to, also if that was before it began."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `stopping`; uvicorn's own handlers forget what came before them."""
        with stopping.calling(self._exit):
            yield

    def _exit(self) -> None:
        self.should_exit = True
