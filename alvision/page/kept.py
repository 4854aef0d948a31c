"""What a server keeps in memory: the things used last, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Keep things by name until they take too much memory; several threads may use it.

    Args:
        limit: Bytes, at most.

    >>> kept: Kept[str] = Kept(10)
    >>> for name in "abc":
    ...     kept.keep(name, name.upper(), 4)
    >>> kept.get("a"), kept.get("c"), kept.bytes
    (None, 'C', 8)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._things: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, name: Hashable) -> T | None:
        """Return a thing, and note that it was used; None if it is not kept."""
        with self._lock:
            if name not in self._things:
                return None
            self._things.move_to_end(name)
            return self._things[name][0]

    def keep(self, name: Hashable, thing: T, size: int) -> None:
        """Keep a thing of so many bytes, and let go of those that were not used for longest."""
        with self._lock:
            if name not in self._things:
                self._things[name] = thing, size
                self.bytes += size
            while self.bytes > self._limit:
                _, (_, oldest) = self._things.popitem(last=False)
                self.bytes -= oldest
