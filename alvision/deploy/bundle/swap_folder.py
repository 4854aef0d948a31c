"""Replace a folder by another one so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from alvision.core.errors import UserError
from alvision.core.rounds import sync_folder

_LOCK_SECONDS = 10.0
"""Seconds to wait for a process that is replacing the folder at this moment."""
_EXCHANGE, _HERE = 2, -100
"""RENAME_EXCHANGE and AT_FDCWD of Linux."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def install(
    source: Path, folder: Path, *, check: Callable[[Path], object] = lambda copy: None
) -> None:
    """Install a copy of `source` as `folder`, and keep the old one as `<folder>.previous`.

    Where the file system can exchange two folders in one step (Linux), `folder` exists at every
    moment. Elsewhere it is missing between two renames; after a kill in that moment `recover`
    brings it back. Hold `locked(folder)` meanwhile.

    Args:
        source: The folder to copy.
        folder: The folder to replace; it need not exist.
        check: Called with the copy before it is installed; may raise.
    """
    beside, previous = _beside(folder, "part"), previous_of(folder)
    _copy(source, beside)
    check(beside)
    if folder.exists():
        # Keep the old folder first: rolling back must be possible after a kill at any later step.
        kept = _beside(folder, "kept")
        _copy(folder, kept)
        replace(kept, previous)
    replace(beside, folder)


def roll_back(folder: Path) -> None:
    """Exchange `folder` and `<folder>.previous`; a second time undoes the first."""
    previous, beside = previous_of(folder), _beside(folder, "part")
    if folder.exists() and _exchange(previous, folder):
        sync_folder(folder.parent)
        return
    kept = _beside(folder, "kept")
    _copy(previous, beside)
    if folder.exists():
        _copy(folder, kept)
    replace(beside, folder)
    if kept.exists():
        replace(kept, previous)


def replace(beside: Path, folder: Path) -> None:
    """Rename `beside` to `folder` and delete the old folder. Hold `locked(folder)` meanwhile."""
    old = _beside(folder, "old")
    shutil.rmtree(old, ignore_errors=True)
    if not folder.exists():
        beside.rename(folder)
    elif _exchange(beside, folder):
        beside.rename(old)
    else:
        folder.rename(old)
        beside.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def previous_of(folder: Path) -> Path:
    """Return the path that `install` keeps the old folder under."""
    return folder.with_name(f"{folder.name}.previous")


def recover(folder: Path) -> None:
    """Bring back a folder that is missing after a kill between two renames; else do nothing."""
    if folder.exists() or not _beside(folder, "old").exists():
        return
    with locked(folder):
        # Look again: the process that held the lock may have finished its second rename.
        if not folder.exists() and _beside(folder, "old").exists():
            _beside(folder, "old").rename(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, so that no other one replaces it at the same time.

    The lock is a file beside the folder, because the folder itself is renamed.

    Raises:
        UserError: Another process holds the lock.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(_beside(folder, "lock"))
    try:
        held.acquire(timeout=_LOCK_SECONDS)
    except Timeout:
        raise UserError(
            f"{folder} is being replaced by another process; wait for it to end"
        ) from None
    try:
        yield
    finally:
        held.release()


def _beside(folder: Path, purpose: str) -> Path:
    return folder.with_name(f".{folder.name}.{purpose}")


def _copy(source: Path, target: Path) -> None:
    """Copy a folder and force it to disk: the rename must not become durable before the bytes."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in sorted(target.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(target)
    sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step (renameat2); False where that cannot be done."""
    if sys.platform != "linux":
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))
