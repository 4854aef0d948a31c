"""Run acquisition functions x seeds, each pair from the same first labels, and compare them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.study.collect import FULL, collect, run_folder
from alvision.study.jobs import Job, run_all
from alvision.study.markdown import document
from alvision.study.summary import Comparison, summarise, write_csv

TABLE = "comparison.csv"
DOCUMENT = "comparison.md"


def compare(
    acquisitions: Sequence[str],
    seeds: int,
    *,
    out: Path | str,
    launch: Callable[[str, int], object],
    finished: Callable[[Path], bool],
    jobs: int = 1,
    devices: Sequence[str] = (),
    metric: str | None = None,
    target: float | None = None,
    console: Console | None = None,
) -> Comparison:
    """Do the runs that are missing, then compare all of them; write comparison.csv and .md.

    Every seed also gets one fit on its whole pool, `full`, which is what the target is measured
    by. Runs that are finished are left alone, so the same command resumes.

    Args:
        acquisitions: Names of the acquisition functions.
        seeds: Number of seeds; every acquisition gets 0, 1, ... up to it.
        out: Folder of the study; runs go to `<out>/<acquisition>/seed-<n>/`.
        launch: Does (or resumes) one run, given an acquisition or `full`, and a seed. With
            several jobs it must be picklable: a function of a module, or a partial of one.
        finished: Tells whether a run's folder needs no launch.
        jobs: Runs at a time, each in a process of its own; 1: in this process.
        devices: GPUs by name, one for each of several jobs, shared in turn by more.
        metric: What to compare by; None: `target.metric` of the runs.
        target: The score to count labels to; None: see `collect`.
        console: Where progress is shown; None: standard error, if it is a terminal.

    Raises:
        UserError: Nothing to compare, or runs that failed: all are named, after the rest is done.
        KeyboardInterrupt: After the running processes have been ended; nothing is lost.
    """
    _check(acquisitions, seeds, jobs)
    every = [(name, seed) for seed in range(seeds) for name in (FULL, *acquisitions)]
    todo = [job for job in every if not finished(run_folder(out, *job))]
    with _progress(console, total=len(every), completed=len(every) - len(todo)) as done:
        failed = run_all(todo, launch, processes=jobs, devices=devices, done=done)
    if failed:
        raise UserError(_failures(failed, len(every))) from next(iter(failed.values()))
    comparison = summarise(collect(out, acquisitions, range(seeds), metric=metric, target=target))
    _write(comparison, Path(out))
    return comparison


def rebuild(out: Path | str) -> Comparison:
    """Compare whatever runs are in a study's folder and write comparison.csv and .md again.

    Raises:
        UserError: There is no study, or its runs cannot be compared.
    """
    comparison = summarise(collect(out))
    _write(comparison, Path(out))
    return comparison


def _write(comparison: Comparison, out: Path) -> None:
    write_csv(comparison, out / TABLE)
    text = document(comparison)
    write_atomically(out / DOCUMENT, lambda beside: _write_text(beside, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _check(acquisitions: Sequence[str], seeds: int, jobs: int) -> None:
    if not acquisitions:
        raise UserError("acquisition= names nothing to compare, e.g. [random_sampling,margin]")
    if len(set(acquisitions)) < len(acquisitions):
        raise UserError(f"acquisition= names one twice: {', '.join(acquisitions)}")
    if FULL in acquisitions:
        raise UserError(f"no acquisition may be called {FULL}: that is the fit on the whole pool")
    if seeds < 1:
        raise UserError(f"seeds={seeds}: must be at least 1")
    if jobs < 1:
        raise UserError(f"jobs={jobs}: must be at least 1")


def _failures(failed: Mapping[Job, Exception], total: int) -> str:
    """Name every failed run in one line; runs that failed alike share their message."""
    alike: dict[str, list[str]] = defaultdict(list)
    for (name, seed), error in failed.items():
        message = " ".join(str(error).split())
        if not isinstance(error, UserError):
            message = f"{type(error).__name__}: {message}"
        alike[message].append(f"{name} seed {seed}")
    named = "; ".join(f"{_some(runs, 5)} ({message})" for message, runs in list(alike.items())[:3])
    named += "; and others" if len(alike) > 3 else ""
    return f"{len(failed)} of {total} runs failed: {named}. The same command does only these again"


def _some(names: list[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@contextmanager
def _progress(
    console: Console | None, *, total: int, completed: int
) -> Iterator[Callable[[Job], None]]:
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("runs", total=total, completed=completed)

        def done(job: Job) -> None:
            progress.update(task, advance=1, description=f"{job[0]} seed {job[1]} done")

        yield done
