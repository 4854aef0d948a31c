"""Predict how much memory a run will take, before it starts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

BYTES_AN_IMAGE = 2_000
"""Ids, paths, hashes and answers of an image in the lists and tables of a round."""
LATER = 200_000_000
"""Bytes that training, tables and reports import and hold when they are first needed."""
BETWEEN_FITS = 200_000_000
"""Bytes that fits of a whole net leave behind, in pieces too small for the next fit."""
MARGIN = 1.05
"""Room for what is not counted: a run must not exceed the peak that was announced."""

_STATUS = Path("/proc/self/status")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def peak() -> int | None:
    """Return the most bytes that this process has held so far; None where nothing tells."""
    return _status_bytes("VmHWM")


def held() -> int | None:
    """Return the bytes that this process holds now; None where nothing tells."""
    return _status_bytes("VmRSS")


def available() -> int | None:
    """Return the bytes that a process may still take on this computer; None where nothing tells.

    In a container that is what its own limit leaves, if it has one.
    """
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        return None
    try:
        limit, used = (
            int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current")
        )
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return free
    return max(0, min(free, limit - used))


def _status_bytes(name: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), None)


def expected_peak(
    warm_up: Callable[[], None],
    needs: Collection[str],
    *,
    images: int,
    width: int,
    passes: int,
    classes: int,
    mapped: bool,
    kept: int = 0,
) -> int | None:
    """Predict a run's peak in bytes; None where the system does not tell what is held.

    What a batch takes is measured on a blank one for each thread; scores are fused into the pass,
    so that only what a strategy reads itself grows with the pool.

    Args:
        warm_up: Runs blank batches through all that a round runs.
        needs: Fields that the strategies read.
        images: Images in the pool.
        width: D.
        passes: K.
        classes: C.
        mapped: Fields lie in a memory map, as fp16.
        kept: Bytes that are kept from round to round beside these.
    """
    before = peak()
    warm_up()
    after, now = peak(), held()
    if before is None or after is None or now is None:
        return None
    # Where the highest was reached before, for tables that are gone, only what is left counts.
    working = after if after > before else now
    numbers = width * ("features" in needs) + passes * classes * ("log_probs" in needs)
    fields = images * (numbers * (2 if mapped else 4) + 8)
    return int(MARGIN * max(after, working + fields + kept + images * BYTES_AN_IMAGE + LATER))
