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
    """An object whose content is on its way; it is read once, and kept nowhere."""

    coming: list[Future[bytes]]
    taken: threading.Semaphore

    def read_bytes(self) -> bytes:
        """Return the content, as soon as it is here; a second time it is fetched anew."""
        if not self.coming:
            return self.fetch()
        try:
            return self.coming.pop().result()  # let go: a whole shard may not fit in memory
        finally:
            self.taken.release()

    def open(self, mode: Literal["rb"] = "rb", buffering: int = -1) -> io.BytesIO:
        """Open the content for another look."""
        return io.BytesIO(self.read_bytes())


@contextmanager
def ahead(
    images: Sequence[tuple[str, ImagePath]], window: int
) -> Iterator[list[tuple[str, ImagePath]]]:
    """Fetch objects in their order, some before they are read; files stay as they are.

    Args:
        images: Ids, and where they lie. Whoever reads them reads about in this order.
        window: Most that are here and not read yet; at least as many as are read at once.
    """
    taken = threading.Semaphore(window + THREADS)  # a thread may be ahead of the one before it

    def fetch(path: StoredPath) -> bytes:
        taken.acquire()
        return path.fetch()

    with ThreadPoolExecutor(THREADS, thread_name_prefix="alvision-fetch") as pool:
        given: list[tuple[str, ImagePath]] = []
        for id, path in images:
            if isinstance(path, Path):
                given.append((id, path))
                continue
            one = Ahead(path.uri, path.size, path.etag)
            object.__setattr__(one, "coming", [pool.submit(fetch, path)])
            object.__setattr__(one, "taken", taken)
            given.append((id, one))
        try:
            yield given
        finally:
            for _, path in given:
                if isinstance(path, Ahead) and path.coming:
                    path.coming[0].cancel()
            for _ in range(THREADS):  # those that wait for a place
                taken.release()
