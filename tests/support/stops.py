"""Send signals to real processes at random moments, while they collect garbage."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import time
import weakref

from tests.support import PROJECT

LIMIT = 10.0
"""Seconds after which a process that got a signal has lost it."""


def at_random_moments(times: int, *, seed: int) -> list[str]:
    """Return what went wrong in `times` processes that got one signal each; nothing should."""
    done = subprocess.run(
        [sys.executable, __file__, str(times), str(seed)],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60 + times,
    )
    return done.stdout.splitlines()


class _Node:
    """Garbage that only the collector finds, with a callback that Python code runs."""

    def __init__(self) -> None:
        self.own = self
        _kept.append(weakref.ref(self, _forget))


_kept: list[weakref.ref] = []


def _forget(reference: weakref.ref) -> None:
    for _ in range(20):
        pass
    _kept.remove(reference)


def _work() -> int:
    """Do what a command does: work up to safe points, waits between, and its end as a command."""
    from alvision.core import stopping

    gc.set_threshold(5, 1, 1)
    stopping.listen()
    os.write(1, b"r")
    end = time.monotonic() + LIMIT
    try:
        while time.monotonic() < end:
            for _ in range(20):
                _Node()
            stopping.safe_point()
            stopping.wait(0.0005)
    except KeyboardInterrupt:
        return stopping.INTERRUPTED
    return 1


def _serve(times: int, seed: int) -> None:
    from alvision.core import stopping

    moments = random.Random(seed)
    for number in range(times):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(writing, 1)
            os._exit(_work())
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        after = moments.uniform(0, 0.02)
        time.sleep(after)
        os.kill(child, moments.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != stopping.INTERRUPTED:
            print(f"{number}: status {status}, signal after {after:.4f} s")


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
