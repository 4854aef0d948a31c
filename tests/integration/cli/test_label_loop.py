"""The loop's process beside the page."""

import subprocess
import sys

import pytest

from tests.support import PROJECT


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_loop_that_ends_before_the_server_ends_quietly(seconds):
    """A thread that reads `sys.stdin` at that moment is a fatal error of Python."""
    script = (
        "import time; from alvision.cli.label_loop import _end_with_the_server as follow\n"
        f"follow(); time.sleep({seconds}); print('ended')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.wait(60) == 0
        assert process.stdout.read() == b"ended\n"
        assert process.stderr.read() == b""


def test_it_ends_when_the_server_does():
    script = (
        "import time; from alvision.cli.label_loop import _end_with_the_server as follow\n"
        "follow(); print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=PROJECT, **pipes) as process:
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(30) == 0
