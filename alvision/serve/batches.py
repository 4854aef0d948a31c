"""Judge photographs of many requests together: whatever waits when the network is free is a batch.

Nobody waits for a batch to fill: a single photograph is judged at once, and batches grow by
themselves when photographs come faster than they are judged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Full, Queue
from typing import Any

import numpy as np

from alvision.data.tiles import together
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.verdict import Decision

BATCH = 32
WAITING = 256
"""Decoded photographs that may wait: 40 MB at 224 x 224; beyond that the server is too slow."""


class Busy(Exception):
    """Too many photographs wait already."""


class Batches:
    """Run a bundle in one thread, on batches of whatever waits.

    Args:
        bundle: The bundle.
        judged: Called with the size of each batch.
        waiting: Photographs that may wait.
    """

    def __init__(
        self, bundle: Bundle, judged: Callable[[int], object], waiting: int = WAITING
    ) -> None:
        self._bundle, self._judged = bundle, judged
        self._size = together(bundle.spec, BATCH)
        self._queue: Queue[tuple[np.ndarray, Future[Decision | None]] | None] = Queue(waiting)
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)
        self._thread.start()

    def judge(self, pixels: np.ndarray) -> Future[Decision | None]:
        """Return the decision to come about a photograph as `images.load` returns it.

        Raises:
            Busy: Too many wait already.
        """
        future: Future[Decision | None] = Future()
        try:
            self._queue.put_nowait((pixels, future))
        except Full:
            raise Busy from None
        return future

    @property
    def alive(self) -> bool:
        """Tell whether photographs are judged."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many photographs wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Judge what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            # Nobody waits any more for one whose request was ended.
            batch = [one for one in waiting if one[1].set_running_or_notify_cancel()]
            if not batch:
                continue
            try:
                output = self._bundle.run(np.stack([pixels for pixels, _ in batch]))
                decisions: list[Any] = self._bundle.decide(output)
            except Exception as error:  # of this batch alone: the next one may be judged
                for _, future in batch:
                    future.set_exception(error)
                continue
            self._judged(len(batch))
            for (_, future), decision in zip(batch, decisions, strict=True):
                future.set_result(decision)

    def _next(self) -> list[tuple[np.ndarray, Future[Decision | None]]] | None:
        """Return everything that waits, at most a batch; None at the end."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < self._size:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                self._queue.put(None)  # the end, after this batch
                break
            batch.append(more)
        return batch
