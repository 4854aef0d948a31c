"""List the objects below an address in parallel, one page of a store's answers at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from alvision.core import stopping
from alvision.core.uris import parts
from alvision.data.storage.client import PAGE, StoredObject, page

THREADS = 16
"""A store answers this many requests at once without asking to slow down."""
LAST = "\U0010ffff"
"""Comes after every character in a store's order, which is that of UTF-8."""

Ask = Callable[[str, str | None], list[StoredObject]]


class Rest(NamedTuple):
    """What is still to be listed: the objects below an address whose keys come after `after`."""

    uri: str
    after: str | None = None


def step(rest: Rest, ask: Ask = page) -> tuple[list[StoredObject], list[Rest]]:
    """List one page; return its objects and what remains.

    Where the page ends in a folder, the rest of that folder and what comes after it are two parts,
    so that they can be listed at the same time. One prefix of any length costs a page per 1,000
    objects, and no object is named twice.
    """
    found = ask(rest.uri, rest.after)
    if len(found) < PAGE:
        return found, []
    scheme, bucket, prefix = parts(rest.uri)
    last = found[-1].key
    below = last[len(prefix) + 1 :] if prefix else last
    folder, slash, _ = below.partition("/")
    # Azure has no start for a list: object_store reads it from the beginning each time.
    if not slash or scheme == "az":
        return found, [Rest(rest.uri, last)]
    inside = f"{prefix}/{folder}" if prefix else folder
    after = f"{inside}/{LAST}"
    return found, [Rest(f"{scheme}://{bucket}/{inside}", last), Rest(rest.uri, after)]


def listed(pending: list[Rest], ask: Ask = page) -> Iterator[tuple[list[StoredObject], list[Rest]]]:
    """Yield the objects below addresses, page by page in any order, with what then remains.

    Whoever keeps the pages that came and what remained with the last of them can go on from there.

    Raises:
        UserError: The store refuses or does not answer.
    """
    with ThreadPoolExecutor(THREADS, thread_name_prefix="alvision-list") as pool:
        running: dict[Future[tuple[list[StoredObject], list[Rest]]], Rest] = {}
        waiting = list(pending)
        try:
            while waiting or running:
                while waiting and len(running) < THREADS:
                    rest = waiting.pop()
                    running[pool.submit(step, rest, ask)] = rest
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                stopping.safe_point()
                for one in done:
                    found, more = one.result()
                    del running[one]
                    waiting += more
                    yield found, [*waiting, *running.values()]
        finally:
            for future in running:
                future.cancel()
