"""What every command prints to: one console, and a progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Say so to whoever prints: rich would end the process, or only this thread, unseen."""
        raise BrokenPipeError


console = _Output(highlight=False, soft_wrap=True)


def warn(notices: Iterable[str]) -> None:
    """Print what a person should know before a command goes on, a line each."""
    for notice in notices:
        console.print(f"warning: {notice}", markup=False)


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar while something goes on; yield a function of (done, total)."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(
        *columns, console=errors, transient=True, disable=not sys.stderr.isatty()
    ) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
