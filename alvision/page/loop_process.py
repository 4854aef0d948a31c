"""The loop's process: started, watched, started again and ended by the server's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

# A step of training ends within seconds; whatever is cut off is done again from the round's files.
_GRACE_SECONDS = 10.0
# One thread: training must leave a core to the page, and small problems run best on one anyway.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# A disk has room again or a drive is back within minutes; more often would only cost the page time.
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
"""Seconds between an error and the next start; it doubles each time."""
_LEAST_SECONDS = 30.0
"""Seconds between two starts where something has changed meanwhile."""
_STEADY_SECONDS = 30.0
"""After so many seconds without an error the last one is over."""

COMPLAINT = "alvision: "
"""How the line begins that says why a command ended, see `cli.dispatch`."""


class LoopProcess:
    """Train beside the page: one thread, low priority, and never longer than this process.

    The child reads from a pipe that this process holds open. When this process ends, however it
    ends, the operating system closes the pipe, and the child ends too.

    Args:
        command: What to run.
    """

    def __init__(self, command: Sequence[str]) -> None:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
            start_new_session=sys.platform != "win32",  # Ctrl-C goes to the server alone
            creationflags=flags,
        )

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def wait(self) -> str | None:
        """Pass on what it writes until it ends; return why it did, None if its work is done."""
        said = ""
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for raw in stream:
                line = raw.decode(errors="replace")
                sys.stderr.write(line)
                if line.startswith(COMPLAINT):
                    said = line.removeprefix(COMPLAINT).strip()
        status = self._process.wait()
        return (said or _ended_with(status)) if status else None

    def stop(self) -> None:
        """End the process; every step of a round is a file, so nothing is lost."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class KeptLoop:
    """Keep the loop's process going: it starts again after an error, and when images have come.

    Args:
        start: Starts the process.
        clock: Gives seconds that only grow.
    """

    def __init__(
        self,
        start: Callable[[], LoopProcess],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._clock = clock
        self._process: LoopProcess | None = None
        self._trouble: str | None = None
        self._done = False
        self._started = clock()
        self._stopping = False
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    @property
    def trouble(self) -> str | None:
        """Return why the process ended, until a new one has worked for a while."""
        steady = self._process is not None and self._clock() - self._started > _STEADY_SECONDS
        return None if steady else self._trouble

    @property
    def done(self) -> bool:
        """Tell whether the process has ended because nothing is left to do."""
        return self._done

    def wake(self) -> None:
        """Start again soon if it does not run: something has changed."""
        self._woken.set()

    def stop(self) -> None:
        """End the process and start no other."""
        with self._lock:
            self._stopping = True
            process = self._process
        self._woken.set()
        if process:
            process.stop()
        self._keeper.join(_GRACE_SECONDS)

    def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._lock:
                if self._stopping:
                    return
                self._woken.clear()
                self._started, self._done = self._clock(), False
                self._process = self._start()
            trouble = self._process.wait()
            if self._stopping:
                return
            worked = self._clock() - self._started
            pause = _FIRST_PAUSE if worked > _LONGEST_PAUSE else pause
            self._trouble, self._done, self._process = trouble, trouble is None, None
            # Without an error there is nothing to do until something is new.
            if self._woken.wait(None if trouble is None else pause):
                self._woken.clear()
                self._wait_until(self._started + _LEAST_SECONDS)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _wait_until(self, moment: float) -> None:
        while not self._stopping and (left := moment - self._clock()) > 0:
            time.sleep(min(left, 0.2))


def _ended_with(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        memory = " (was memory short?)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    return f"its process ended with status {status}; the terminal says more"
