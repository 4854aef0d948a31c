"""The loop's process: started, watched and ended by the server's process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

# A step of training ends within seconds; whatever is cut off is done again from the round's files.
_GRACE_SECONDS = 10.0
# One thread: training must leave a core to the page, and small problems run best on one anyway.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class LoopProcess:
    """Train beside the page: one thread, low priority, and never longer than this process.

    The child reads from a pipe that this process holds open. When this process ends, however it
    ends, the operating system closes the pipe, and the child ends too.

    Args:
        command: What to run.
        ended: Called when the process ends by itself, with the last line of its error or None.
    """

    def __init__(self, command: Sequence[str], ended: Callable[[str | None], None]) -> None:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP
        self._ended = ended
        self._stopping = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
            start_new_session=sys.platform != "win32",  # Ctrl-C goes to the server alone
            creationflags=flags,
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def stop(self) -> None:
        """End the process; every step of a round is a file, so nothing is lost."""
        self._stopping = True
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watcher.join(_GRACE_SECONDS)

    def _watch(self) -> None:
        last = ""
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for raw in stream:
                line = raw.decode(errors="replace")
                sys.stderr.write(line)
                last = line.strip() or last
        status = self._process.wait()
        if not self._stopping:
            self._ended((last or f"it ended with status {status}") if status else None)
