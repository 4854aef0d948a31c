import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import PROJECT
from tests.support.stops import at_random_moments

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

HEAD = """
import gc, os, signal, sys, threading, time, weakref
from alvision.core import stopping
def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)
"""
LIMIT = 30


def ended(script, **options):
    """Run a script in a process of its own; it prints what it saw and ends as a command does."""
    command = [sys.executable, "-c", HEAD + script]
    options = {"cwd": PROJECT, "capture_output": True, "text": True, "timeout": LIMIT} | options
    return subprocess.run(command, check=False, **options)


WHERE_EXCEPTIONS_ARE_LOST = {
    "weak reference": "thing = type('T', (), {})()\n"
    "ref = weakref.ref(thing, lambda _: send())\ndel thing",
    "finalizer": "class T:\n    def __del__(self): send()\nT()",
    "garbage collection": "gc.callbacks.append(lambda phase, info: send() if phase == 'start'"
    " and not stopping.asked() else None)\ngc.collect()",
}


@pytest.mark.parametrize("place", WHERE_EXCEPTIONS_ARE_LOST)
def test_a_signal_that_comes_where_an_exception_is_lost_still_stops(place):
    script = (
        f"stopping.listen()\n{WHERE_EXCEPTIONS_ARE_LOST[place]}\n"
        "try:\n    stopping.wait(60)\nexcept KeyboardInterrupt:\n    print('stopped')"
    )
    process = ended(script)
    assert (process.stdout, process.stderr) == ("stopped\n", "")


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_work_goes_on_to_its_next_safe_point(sent):
    script = (
        f"stopping.listen()\nsend(signal.{sent})\ntime.sleep(0.01)\nprint('whole')\n"
        "try:\n    stopping.safe_point()\nexcept KeyboardInterrupt:\n    print('stopped')"
    )
    assert ended(script).stdout == "whole\nstopped\n"


def test_a_wait_ends_when_the_signal_comes():
    script = (
        "stopping.listen()\nthreading.Timer(0.1, send).start()\nstart = time.monotonic()\n"
        "try:\n    stopping.wait(60)\n"
        "except KeyboardInterrupt:\n    print(time.monotonic() - start < 20)"
    )
    assert ended(script).stdout == "True\n"


def test_without_a_signal_a_wait_lasts():
    from alvision.core import stopping

    start = time.monotonic()
    stopping.wait(0.05)
    stopping.safe_point()
    assert time.monotonic() - start >= 0.05
    assert not stopping.asked()


def test_a_second_signal_ends_work_without_a_safe_point():
    script = (
        "stopping.listen()\nsend()\ntime.sleep(0.3)\nthreading.Timer(0.1, send).start()\n"
        "while True: pass"
    )
    assert ended(script).returncode == 130


def test_one_signal_that_arrives_twice_is_one():
    script = "stopping.listen()\nsend()\nsend(signal.SIGINT)\nsend()\nprint('whole')"
    process = ended(script)
    assert (process.returncode, process.stdout) == (0, "whole\n")


def test_a_signal_that_is_ignored_stays_ignored():
    script = (
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nstopping.listen()\nsend(signal.SIGHUP)\n"
        "time.sleep(0.01)\nprint(stopping.asked())"
    )
    assert ended(script).stdout == "False\n"


def test_an_action_is_called_also_for_a_signal_that_came_before():
    script = (
        "stopping.listen()\ncalled = []\n"
        "with stopping.calling(lambda: called.append(1)):\n"
        "    send(); time.sleep(0.01)\n"
        "with stopping.calling(lambda: called.append(2)):\n    print(called)"
    )
    assert ended(script).stdout == "[1, 2]\n"


def test_a_foreign_wait_is_interrupted_again_if_that_was_swallowed():
    script = (
        "stopping.listen()\nthreading.Timer(0.1, send).start()\nswallowed = 0\n"
        "try:\n    with stopping.interrupting():\n"
        "        while True:\n"
        "            try:\n                time.sleep(60)\n"
        "            except KeyboardInterrupt:\n                swallowed += 1\n"
        "                if swallowed == 3: raise\n"
        "except KeyboardInterrupt:\n    print('stopped')"
    )
    assert ended(script).stdout == "stopped\n"


def test_a_terminal_that_is_closed_ends_it_quietly():
    near, far = pty.openpty()
    script = (
        "stopping.listen()\nprint('ready', flush=True)\n"
        "try:\n    stopping.wait(60)\n"
        "except KeyboardInterrupt:\n    print('nobody reads this', flush=True)\n    sys.exit(130)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + script],
        cwd=PROJECT,
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(far)
    assert b"ready" in os.read(near, 100)
    os.close(near)
    assert process.wait(LIMIT) == 130


@pytest.mark.slow
def test_no_signal_is_lost_at_random_moments():
    assert at_random_moments(150, seed=0) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_signal_is_lost_at_thousands_of_moments(record_property):
    times = 10_000
    assert at_random_moments(times, seed=1) == []
    record_property("signals", times)


def test_the_second_process_ends_with_the_first(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, os, signal, time\n"
        "from alvision.core import stopping\n"
        "def child(pipe):\n"
        "    stopping.end_with_parent()\n"
        "    pipe.send(os.getpid())\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    here, there = multiprocessing.Pipe()\n"
        "    multiprocessing.get_context('spawn').Process(target=child, args=(there,)).start()\n"
        "    print(here.recv(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, str(script)]
    process = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    number = int(process.stdout)
    deadline = time.monotonic() + LIMIT
    while _runs(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(number)


def _runs(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
