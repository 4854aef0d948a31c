"""Do the runs of a study: in this process or several, each on a GPU of its own, and timed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from alvision.core import stopping
from alvision.core.rounds import write_atomically

Job = tuple[str, int]
"""An acquisition and a seed."""

VARIABLE = "CUDA_VISIBLE_DEVICES"
"""What CUDA reads, once, when a process first asks it for anything."""

TIME = "time.json"
"""Beside the rounds of a run, whose files hold no clock times."""

LOOK = 0.2
"""Seconds between two looks whether a signal asks to stop."""

PATIENCE = 10
"""Seconds that an interrupted process has to end before it is killed: time to close its files."""


def run_all(
    jobs: Sequence[Job],
    launch: Callable[[str, int], object],
    *,
    processes: int = 1,
    devices: Sequence[str] = (),
    done: Callable[[Job], None] = lambda job: None,
) -> dict[Job, Exception]:
    """Call `launch(*job)` for every job and return the exceptions of those that failed.

    Args:
        jobs: What to do, in this order.
        launch: Must be picklable if there are several processes.
        processes: Jobs at a time; 1: in this process.
        devices: GPUs by name, dealt to the processes; one keeps its own for life and sees no
            other. None: all processes see what this one sees.
        done: Called in this process after each job, failed or not.

    Raises:
        KeyboardInterrupt: Nothing new is begun and running processes are ended first.
    """
    if processes == 1 or len(jobs) <= 1:
        return _one_by_one(jobs, launch, done)
    failed: dict[Job, Exception] = {}
    broken = _in_pool(jobs, launch, min(processes, len(jobs)), devices, done, failed)
    # A process that dies takes its pool along, and nobody knows whose job it was:
    # each unfinished job gets a process of its own, so that only the guilty one fails.
    for job in broken:
        if _in_pool([job], launch, 1, devices, done, failed):
            failed[job] = RuntimeError("its process died; out of memory? try fewer jobs")
            done(job)
    return failed


def _one_by_one(
    jobs: Sequence[Job], launch: Callable[[str, int], object], done: Callable[[Job], None]
) -> dict[Job, Exception]:
    failed: dict[Job, Exception] = {}
    for job in jobs:
        stopping.safe_point()
        try:
            launch(*job)
        except Exception as error:
            failed[job] = error
        done(job)
    return failed


def _in_pool(
    jobs: Sequence[Job],
    launch: Callable[[str, int], object],
    processes: int,
    devices: Sequence[str],
    done: Callable[[Job], None],
    failed: dict[Job, Exception],
) -> list[Job]:
    """Do the jobs and return those that are undone because the pool broke."""
    broken: list[Job] = []
    with _pool(processes, devices) as pool:
        try:
            futures: dict[Future, Job] = {pool.submit(launch, *job): job for job in jobs}
        except BrokenProcessPool:
            return list(jobs)
        for future in _as_completed(futures):
            job, error = futures[future], future.exception()
            if isinstance(error, BrokenProcessPool):
                broken.append(job)
                continue
            if isinstance(error, Exception):
                failed[job] = error
            elif error is not None:
                raise error
            done(job)
    return sorted(broken, key=jobs.index)


def _as_completed(futures: Collection[Future]) -> Iterator[Future]:
    """Yield each future when it is done; a signal ends the wait."""
    left = set(futures)
    while left:
        stopping.safe_point()
        done, left = wait_for(left, timeout=LOOK, return_when=FIRST_COMPLETED)
        yield from done


@contextmanager
def _pool(processes: int, devices: Sequence[str]) -> Iterator[ProcessPoolExecutor]:
    before = set(multiprocessing.active_children())
    threads = max(1, (os.cpu_count() or 1) // processes)
    # fork after threads have started (torch's, pyarrow's) can hang
    context = multiprocessing.get_context("spawn")
    # a pool gives all of its processes the same arguments
    queue: SimpleQueue[str] | None = context.SimpleQueue() if devices else None
    if queue:
        for device in dealt(devices, processes):
            queue.put(device)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_prepare, initargs=(threads, queue)
    )
    try:
        yield pool
    except BaseException:
        _end(set(multiprocessing.active_children()) - before)
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown()


def _end(processes: set[BaseProcess]) -> None:
    """End processes without reaping them.

    The pool's own thread waits for them as well, and of two that do, the loser takes its process
    for a living one.
    """
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + PATIENCE
    while processes and (left := deadline - time.monotonic()) > 0:
        ended = wait([process.sentinel for process in processes], left)
        processes = {process for process in processes if process.sentinel not in ended}
    for process in processes:
        process.kill()


def _prepare(threads: int, devices: SimpleQueue[str] | None) -> None:
    """Share cores and GPUs, leave Ctrl-C to the parent, which ends its processes; end with it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if devices:
        os.environ[VARIABLE] = devices.get()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that was killed tells nobody: this process would wait for work for ever.
    stopping.end_with_parent()


def device_names(count: int, visible: str | None) -> list[str]:
    """Name the GPUs that this process sees, as `VARIABLE` names them for another.

    Args:
        count: How many there are.
        visible: This process's own `VARIABLE`: numbers or UUIDs, of which CUDA takes those before
            the first that it does not know; None: not set.

    >>> device_names(2, None)
    ['0', '1']
    >>> device_names(2, "3,GPU-8f6a,-1,0")
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


@contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Write the seconds of what is done inside, if the run goes from its start to its end in it.

    A run that was resumed has no time: nobody saw all of it.
    """
    fresh = not (folder / "rounds").exists()
    started = time.perf_counter()
    yield
    if fresh:
        text = json.dumps({"seconds": round(time.perf_counter() - started, 3)}) + "\n"
        write_atomically(folder / TIME, lambda beside: _write(beside, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def mean_hours(folders: list[Path]) -> float | None:
    """Return the mean hours of those runs that have a time; None if none has."""
    found = []
    for folder in folders:
        try:
            text = (folder / TIME).read_text(encoding="utf-8")
            found.append(float(json.loads(text)["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sum(found) / len(found) / 3600 if found else None
