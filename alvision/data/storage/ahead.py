"""Objects that are fetched before they are read, by many threads: each waits for the store."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from alvision.data.storage.stored_path import ImagePath, StoredPath

THREADS = 32


class Ahead(StoredPath):
    """An object whose content may be on its way; it is read once, and kept nowhere."""

    coming: Coming

    def read_bytes(self) -> bytes:
        """Return the content, as soon as it is here; what is not on its way is fetched now."""
        future = self.coming.taken(self)
        return self.fetch() if future is None else future.result()

    def open(self, mode: Literal["rb"] = "rb", buffering: int = -1) -> io.BytesIO:
        """Open the content for another look."""
        return io.BytesIO(self.read_bytes())


class Coming:
    """The objects that are on their way: each one that is taken starts the next.

    No thread waits for a place, so whatever order they are read in, nothing stands still.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._later: list[Ahead] = []
        self._futures: dict[str, Future[bytes]] = {}

    def start(self, objects: Sequence[Ahead], window: int) -> None:
        """Send for the first objects."""
        self._later = list(objects[::-1])
        for _ in range(window):
            self._next()

    def taken(self, one: Ahead) -> Future[bytes] | None:
        """Return what is on its way, which is then let go here; None: it was not sent for."""
        with self._lock:
            future = self._futures.pop(one.uri, None)
        self._next()
        return future

    def stop(self) -> None:
        """Send for no more."""
        with self._lock:
            self._later.clear()
            for future in self._futures.values():
                future.cancel()

    def _next(self) -> None:
        with self._lock:
            if self._later:
                one = self._later.pop()
                self._futures[one.uri] = self._pool.submit(one.fetch)


@contextmanager
def ahead(
    images: Sequence[tuple[str, ImagePath]], window: int
) -> Iterator[list[tuple[str, ImagePath]]]:
    """Fetch objects in their order, some before they are read; files stay as they are.

    Args:
        images: Ids, and where they lie.
        window: Most that are on their way, or here and not read yet.
    """
    with ThreadPoolExecutor(THREADS, thread_name_prefix="alvision-fetch") as pool:
        coming = Coming(pool)
        given: list[tuple[str, ImagePath]] = []
        for id, path in images:
            if not isinstance(path, Path):
                path = Ahead(path.uri, path.size, path.etag)
                object.__setattr__(path, "coming", coming)
            given.append((id, path))
        coming.start([path for _, path in given if isinstance(path, Ahead)], window)
        try:
            yield given
        finally:
            coming.stop()
