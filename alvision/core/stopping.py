"""A stop that a signal asks for: noted at once, obeyed at the next safe point of the work.

A signal may arrive between any two steps of Python: inside a finalizer, a weak reference's
callback or a lock's release. An exception that is raised there is printed and forgotten, and the
process runs on. So the handler only notes that somebody asked. The work asks `safe_point` wherever
it may end: between two steps, batches or files. Whatever waits uses `wait`, which a signal ends.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType

INTERRUPTED = 130
"""Exit status of a process that a signal ended, as shells have it: 128 + SIGINT."""
SAME_SIGNAL = 0.1
"""Seconds in which another signal is the same: `timeout` and others pass on what came to all."""
AGAIN = 0.5
"""Seconds until an interrupt that was swallowed is raised once more."""

# SIGHUP: the terminal was closed. SIGBREAK: the same on Windows, which has no SIGHUP.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class _Stop:
    """What this process knows of the signals that it got."""

    def __init__(self) -> None:
        self.asked_at: float | None = None
        # Its `put` may be called while the interrupted code is inside its `get`; an Event's `set`
        # would wait for a lock that this very thread holds.
        self.woken: SimpleQueue[None] = SimpleQueue()
        self.actions: list[Callable[[], object]] = []
        self.terminals: tuple[int, ...] = ()
        self.interrupts = False
        self.repeated = False


_stop = _Stop()


def listen() -> None:
    """Note signals in this process from now on; a signal that is ignored stays ignored.

    The first one asks for a stop. The next one ends the process at once: nothing is lost, because
    every file is written whole and every step can be done again.
    """
    _stop.terminals = tuple(number for number in (1, 2) if os.isatty(number))
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)


def asked() -> bool:
    """Tell whether a signal has asked this process to stop."""
    return _stop.asked_at is not None


def safe_point() -> None:
    """End the work here if a signal has asked for it.

    Raises:
        KeyboardInterrupt: It has.
    """
    if asked():
        raise KeyboardInterrupt


def wait(seconds: float) -> None:
    """Sleep, but not after a signal has asked for a stop.

    Raises:
        KeyboardInterrupt: It has, before or meanwhile.
    """
    safe_point()
    with suppress(Empty):
        _stop.woken.get(timeout=seconds)
    safe_point()


@contextmanager
def calling(action: Callable[[], object]) -> Iterator[None]:
    """Call `action` when a stop is asked for inside the block; at once if it was before.

    For what waits in code that knows nothing of `safe_point`. The action runs inside the signal's
    handler, so it must neither raise nor take a lock.
    """
    _stop.actions.append(action)
    try:
        if asked():
            action()
        yield
    finally:
        _stop.actions.remove(action)


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise KeyboardInterrupt anywhere inside the block, again and again until it is left.

    For a wait in foreign code that only an exception ends. Only for the main thread.
    """
    left = threading.Event()

    def repeat() -> None:
        while not left.wait(AGAIN):
            if asked():
                _stop.repeated = True
                _signal_the_main_thread()

    threading.Thread(target=repeat, daemon=True).start()
    _stop.interrupts = True
    try:
        safe_point()
        yield
    finally:
        _stop.interrupts = False
        left.set()


def end_with_parent() -> None:
    """End this process when the one that started it by multiprocessing does, however that ends."""
    import multiprocessing

    def follow() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _signal_the_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # ends a wait in the system, too
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _note(number: int, frame: FrameType | None) -> None:
    now, repeated = time.monotonic(), _stop.repeated
    _stop.repeated = False
    if getattr(signal, "SIGHUP", None) == number:
        _leave_the_terminal()
    if _stop.asked_at is None:
        _stop.asked_at = now
        _tell("stopping as soon as nothing is half done; Ctrl-C again stops at once\n")
        _stop.woken.put(None)
        for action in tuple(_stop.actions):
            action()
    elif not repeated and now - _stop.asked_at > SAME_SIGNAL:
        _tell("\x1b[?25h")  # a progress bar had hidden the cursor
        os._exit(INTERRUPTED)
    if _stop.interrupts:
        raise KeyboardInterrupt


def _tell(text: str) -> None:
    """Write to the terminal past Python's buffers, in the middle of whose work this may be."""
    if 2 in _stop.terminals:
        with suppress(OSError):
            os.write(2, b"\r" + text.encode())


def _leave_the_terminal() -> None:
    """Nobody reads what is printed from now on, and printing it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in _stop.terminals:
        os.dup2(nowhere, number)
    os.close(nowhere)
