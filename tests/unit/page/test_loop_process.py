"""The loop's process: why it ended, and when it starts again."""

import sys
import threading

import pytest

from alvision.page import loop_process
from alvision.page.loop_process import KeptLoop, LoopProcess


def child(code):
    return LoopProcess([sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", None),
        ("import sys; print('alvision: the disk is full', file=sys.stderr); sys.exit(2)",
         "the disk is full"),
        ("import sys; print('alvision: no image', file=sys.stderr); "
         "print('Thread 0x7f (no Python frame)', file=sys.stderr); sys.exit(1)", "no image"),
        ("1 / 0", "its process ended with status 1; the terminal says more"),
    ],
)  # fmt: skip
def test_the_refusals_own_sentence_is_why_it_ended(code, said, capfd):
    process = child(code)
    assert process.wait() == said
    process.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_process_that_was_killed_says_so():
    process = child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert process.wait() == "its process was ended by SIGKILL (was memory short?)"
    process.stop()


class Fake:
    """A process that ends when a test says so."""

    def __init__(self):
        self.ended = threading.Event()
        self.trouble = None

    def end(self, trouble=None):
        self.trouble = trouble
        self.ended.set()

    def wait(self):
        self.ended.wait(20)
        return self.trouble

    def stop(self):
        self.ended.set()


class Starts(list):
    """Every process that was started; waits for the next one."""

    def __call__(self):
        with self.changed:
            self.append(Fake())
            self.changed.notify_all()
        return self[-1]

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def number(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self) >= count, 10)
        return self[count - 1]


@pytest.fixture
def kept(monkeypatch):
    """Return a kept loop whose pauses are short, and its processes."""
    monkeypatch.setattr(loop_process, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(loop_process, "_LEAST_SECONDS", 0.0)
    starts = Starts()
    loop = KeptLoop(starts)
    starts.number(1)
    yield loop, starts
    loop.stop()


def until(true):
    end = threading.Event()
    for _ in range(1000):
        if true():
            return
        end.wait(0.01)
    raise AssertionError("it stays as it is")


def test_after_an_error_it_starts_again_and_says_why_until_it_has_worked(kept, monkeypatch):
    loop, starts = kept
    starts[0].end("the disk is full")
    starts.number(2)
    until(lambda: loop.trouble == "the disk is full")
    assert not loop.done
    monkeypatch.setattr(loop_process, "_STEADY_SECONDS", -1.0)
    until(lambda: loop.trouble is None)


def test_each_pause_is_longer_than_the_last_up_to_a_limit(monkeypatch):
    pauses = []
    monkeypatch.setattr(loop_process, "_LONGEST_PAUSE", 40.0)
    starts = Starts()
    loop = KeptLoop(starts, clock=lambda: 0.0)
    real = loop._woken.wait
    loop._woken.wait = lambda pause: pauses.append(pause) or real(0)
    for number in range(1, 7):
        starts.number(number).end("broken")
    starts.number(7)
    loop.stop()
    assert pauses == [5, 10, 20, 40, 40, 40]


def test_with_its_work_done_it_waits_until_something_is_new(kept):
    loop, starts = kept
    starts[0].end()
    until(lambda: loop.done)
    assert loop.trouble is None
    assert len(starts) == 1
    loop.wake()
    starts.number(2)
    until(lambda: not loop.done)


def test_what_changes_ends_a_long_pause(monkeypatch):
    monkeypatch.setattr(loop_process, "_FIRST_PAUSE", 1e5)
    monkeypatch.setattr(loop_process, "_LEAST_SECONDS", 0.0)
    starts = Starts()
    loop = KeptLoop(starts)
    starts.number(1).end("the folder is gone")
    until(lambda: loop.trouble)
    assert len(starts) == 1
    loop.wake()
    starts.number(2)
    loop.stop()


def test_a_stopped_loop_starts_nothing(kept):
    loop, starts = kept
    loop.stop()
    loop.wake()
    assert not loop._keeper.is_alive()
    assert len(starts) == 1
