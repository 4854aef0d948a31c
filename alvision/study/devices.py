"""Which GPU each process of a study works on."""

from __future__ import annotations

from collections.abc import Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"
"""What CUDA reads, once, when a process first asks it for anything."""


def names(count: int, visible: str | None) -> list[str]:
    """Name the GPUs that this process sees, as `VARIABLE` names them for another.

    Args:
        count: How many there are.
        visible: This process's own `VARIABLE`: numbers or UUIDs, of which CUDA takes those before
            the first that it does not know; None: not set.

    >>> names(2, None)
    ['0', '1']
    >>> names(2, "3,GPU-8f6a,-1,0")
    ['3', 'GPU-8f6a']
    """
    if visible is None:
        return [str(number) for number in range(count)]
    return visible.split(",")[:count]


def dealt(devices: Sequence[str], processes: int) -> list[str]:
    """Give each process a device, in turn.

    >>> dealt(["0", "1"], 3)
    ['0', '1', '0']
    """
    return [devices[number % len(devices)] for number in range(processes)]
