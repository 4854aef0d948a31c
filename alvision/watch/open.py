"""Open a watched line: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from alvision.core.errors import UserError
from alvision.labels.location import on_network
from alvision.watch.judge import Judge
from alvision.watch.line import Line, Setting
from alvision.watch.records import FILE, Records

LOCK = ".alvision-watch.lock"


@contextmanager
def open_line(setting: Setting) -> Iterator[Line]:
    """Open a line for this process alone.

    Raises:
        UserError: A folder is missing or lies in another one, the bundle cannot be used, or
            another process watches here.
    """
    if not setting.inbox.is_dir():
        raise UserError(f"images={setting.inbox} is not a folder: check the path")
    judge = Judge(setting.bundle)
    _check_places(setting)
    setting.to.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for key, folder in (("to", setting.to), ("images", setting.inbox)):
            stack.callback(_locked(key, folder).release)
        records = Records(setting.to / FILE)
        stack.callback(records.close)
        yield Line(setting, judge, records)


def _locked(key: str, folder: Path) -> FileLock:
    held = FileLock(folder / LOCK)
    try:
        held.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"{key}={folder} is watched by another process: end that one first"
        ) from None
    except (OSError, NotImplementedError) as error:  # the latter: no locks on this file system
        raise UserError(
            f"{key}={folder} cannot be locked for this process alone ({error}): check that it can "
            "be written and lies on a drive with locks"
        ) from error
    return held


def _check_places(setting: Setting) -> None:
    inbox, to = setting.inbox.resolve(), setting.to.resolve()
    bundle = setting.bundle.resolve()
    for inner, outer, told in (
        (inbox, to, "images= lies in to=, so images that were sorted would be sorted again"),
        (to, inbox, "to= lies in images=, so images that were sorted would be sorted again"),
        (bundle, inbox, "bundle= lies in images=, so its golden images would be taken for parts"),
        (inbox, bundle, "images= lies in bundle=, which must stay as it was exported"),
        (to, bundle, "to= lies in bundle=, which must stay as it was exported"),
    ):
        if inner.is_relative_to(outer):
            raise UserError(f"{told}: choose folders apart from each other")
    if on_network(to):
        raise UserError(
            f"to={setting.to} is on a network drive, where watch.db is not safe: name one on a "
            "local disk (images= may be anywhere)"
        )
    if setting.to.exists() and not setting.to.is_dir():
        raise UserError(f"to={setting.to} is a file: name a folder")
