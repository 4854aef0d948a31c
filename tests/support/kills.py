"""Kill a real process at a chosen step or moment, again and again, cheaply.

One parent process imports what is heavy and forks a child for each run, so that a kill costs a
fork and not the import of torch. Where there is no fork the tests that use this are skipped.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

from alvision.core.rounds import STEPS
from alvision.labels.store import LabelStore
from tests.support import PROJECT

STEPS_WITHOUT_PEOPLE = [step for step in STEPS if step != "ranking.csv"]  # spare work is theirs


LIMIT = 60.0
"""Seconds after which a process that was asked to stop has lost the signal."""


class Runner:
    """Runs command lines in forked children and kills them."""

    def __init__(self, folder: Path) -> None:
        with (folder / "stderr.txt").open("ab") as errors:
            self.server = subprocess.Popen(
                [sys.executable, "-W", "ignore", __file__],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": str(PROJECT)},
            )

    def run(
        self,
        argv: list[str],
        *,
        kill_at: str | None = None,
        after: float | None = None,
        sent: signal.Signals = signal.SIGKILL,
    ) -> int:
        """Run to the end or to the kill and return the status, negative for a signal.

        Args:
            argv: The words of the command line.
            kill_at: One of KILL_POINTS, where it kills itself.
            after: Seconds after which it gets the signal.
            sent: The signal. One that asks to stop meets a child that collects garbage all the
                time; a child that has not ended LIMIT seconds later is killed.
        """
        asks = sent != signal.SIGKILL
        order = {"argv": argv, "kill_at": kill_at, "listen": asks}
        print(json.dumps(order), file=self.server.stdin, flush=True)
        child = int(self.server.stdout.readline())
        if after is not None:
            time.sleep(after)
            os.kill(child, sent)
        overdue = threading.Timer(LIMIT, os.kill, (child, signal.SIGKILL))
        if asks:
            overdue.start()
        print("wait", file=self.server.stdin, flush=True)
        status = os.waitstatus_to_exitcode(int(self.server.stdout.readline()))
        overdue.cancel()
        return status

    def close(self) -> None:
        """End the parent process."""
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()


def state(run: Path) -> dict[str, object]:
    """Return what must be the same after any kill: every step's bytes, every event, the table."""
    steps = {
        f"{folder.name}/{name}": (folder / name).read_bytes()
        for folder in sorted((run / "rounds").iterdir())
        for name in STEPS_WITHOUT_PEOPLE
    }
    with LabelStore(run / "labels.db") as store:
        events = store.events()
    return {**steps, "events": events, "table": (run / "metrics.csv").read_bytes()}


HEAVY = (
    "alvision.config.compose",
    "alvision.loop.build",
    "alvision.loop.run",
    "alvision.training.learner",
    "alvision.training.cross_validation",
    "alvision.evaluation.metrics",
    "alvision.reporting.loggers.tensorboard",
    "alvision.reporting.run.page",
    "alvision.deploy.promote.compare",
    "sklearn.metrics",
    "tensorboard.compat.proto.summary_pb2",
)
"""What a run and a promotion import; the parent imports it once."""

KILL_POINTS = [
    *(f"{when} {step}" for step in STEPS_WITHOUT_PEOPLE for when in ("before", "after")),
    "before append",
    "after append",
    "inside fit",
]


def _arm(point: str) -> None:
    """Make this process kill itself the second time it comes by a point (in round 1)."""
    from alvision import training
    from alvision.core import rounds
    from alvision.labels import store

    when, _ = point.split(" ", 1)
    seen = [0]

    def die(place: str) -> None:
        if place == point:
            seen[0] += 1
            if seen[0] == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(function, name):
        def wrapped(*args, **kwargs):
            label = args[1].name if name is None else name
            die(f"before {label}")
            result = function(*args, **kwargs)
            die(f"after {label}")
            return result

        return wrapped

    rounds._replace = around(rounds._replace, None)
    store.LabelStore.append = around(store.LabelStore.append, "append")
    if when == "inside":
        training.Learner.fit = around(training.Learner.fit, "fit")

        def inside(name):
            die(f"inside {name}")

        original = training.Learner.fit
        training.Learner.fit = lambda *args, **kwargs: (inside("fit"), original(*args, **kwargs))[1]


def _serve() -> None:
    import torch

    from alvision.cli import main
    from alvision.core import stopping

    # Commands import what they need when they need it; here every child would pay for it again.
    for name in HEAVY:
        import_module(name)
    torch.set_num_threads(1)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            if order["kill_at"]:
                _arm(order["kill_at"])
            if order["listen"]:
                gc.set_threshold(200, 1, 1)
                stopping.listen()
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os._exit(main(order["argv"]))
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    _serve()
