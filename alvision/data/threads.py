"""Work ahead in threads, results in order: decoding overlaps with what consumes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from alvision.core import stopping

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items, at most `ahead` of them in the making.

    A signal that asks for a stop ends it between two results.

    >>> list(ordered_map(abs, [-1, -2, 3], workers=2, ahead=2))
    [1, 2, 3]
    """
    remaining = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="alvision") as pool:
        futures: deque[Future[Result]] = deque(
            pool.submit(function, item) for item in islice(remaining, max(1, ahead))
        )
        try:
            while futures:
                stopping.safe_point()
                result = futures.popleft().result()
                futures.extend(pool.submit(function, item) for item in islice(remaining, 1))
                yield result
        finally:
            for future in futures:
                future.cancel()
