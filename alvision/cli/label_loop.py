"""The loop's process beside the page: `python -m alvision.cli.label_loop key=value ...`."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from alvision.core import stopping

POLL_SECONDS = 0.5
_LOCK_SECONDS = 30.0
_NICE = 10


def loop(words: list[str]) -> int:
    """Run the loop until there is nothing left to ask; built anew when a class or an image came."""
    import torch

    from alvision.cli.label import ORACLE
    from alvision.cli.run import run_and_report
    from alvision.config.compose import compose
    from alvision.dataset.dataset import open_label_store
    from alvision.dataset.people import with_choices
    from alvision.oracles.page import RunChanged

    torch.set_num_threads(1)
    composed = compose([ORACLE, *words])
    command = composed.command.replace(f"run {ORACLE}", "label", 1)
    composed = replace(composed, command=command)
    given = composed.config
    _wait_for(Path(str(given.out)))
    with open_label_store(given) as store:
        while True:
            config = with_choices(given, store)
            if len(config.classes or ()) < 2:  # the page asks for them
                stopping.wait(POLL_SECONDS)
                continue
            try:
                run_and_report(replace(composed, config=config), wait=True)
            except RunChanged:
                continue
            return 0


def _wait_for(root: Path) -> None:
    """Let the loop of a server that was killed end first; it sees the end of its pipe."""
    root.mkdir(parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(root / ".lock", timeout=_LOCK_SECONDS):
        pass  # if it does not end, `lock` says so


def _end_with_the_server() -> None:
    """End this process when the pipe from the server does; every step is a file."""

    def watch() -> None:
        # Not `sys.stdin`: a thread that holds its lock while Python shuts down is a fatal error.
        while os.read(0, 1):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def entry() -> int:
    """Start as the server's child: one thread, low priority."""
    from alvision.cli import main

    stopping.listen()
    _end_with_the_server()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    return main(sys.argv[1:], loop)


if __name__ == "__main__":
    sys.exit(entry())
