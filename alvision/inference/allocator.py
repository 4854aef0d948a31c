"""Memory that one layer frees and the next one takes, kept in the process between the two."""

from __future__ import annotations

import ctypes
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # their numbers in glibc's malloc.h
KEPT = 2**28
"""Bytes of free memory above which it goes back to the kernel."""


@cache
def keep_freed_memory() -> None:
    """Tell the C library not to give freed memory back at once, where it can be told (glibc).

    By default it returns what a large layer frees, and takes it back page by page for the next
    one: that is up to a third of the time of a pool pass on a processor.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    tell(MMAP_THRESHOLD, KEPT)
    tell(TRIM_THRESHOLD, KEPT)
