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
_LEFT = ("new", "was", "old")
"""What a kill may leave beside a folder, see `settle`."""
_MARK = ".new"
"""A file in a copy that is being installed."""
_EXCHANGE, _HERE = 2, -100
"""RENAME_EXCHANGE and AT_FDCWD of Linux."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def install(
    source: Path, folder: Path, *, check: Callable[[Path], object] = lambda copy: None
) -> None:
    """Install a copy of `source` as `folder`, and keep the old one as `<folder>.previous`.

    Where the file system can exchange two folders in one step (Linux), `folder` exists at every
    moment. Elsewhere it is missing between two renames. Hold `locked(folder)` meanwhile.

    Args:
        source: The folder to copy.
        folder: The folder to replace; it need not exist.
        check: Called with the copy before it is installed; may raise.
    """
    settle(folder)
    copy, new = _beside(folder, "copy"), _beside(folder, "new")
    try:
        _copy(source, copy)
        check(copy)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    if not folder.exists():
        copy.rename(folder)
        sync_folder(folder.parent)
        return
    (copy / _MARK).touch()
    sync_folder(copy)
    copy.rename(new)
    if not _exchange(new, folder):
        folder.rename(_beside(folder, "was"))
        new.rename(folder)
    sync_folder(folder.parent)
    settle(folder)


def roll_back(folder: Path) -> None:
    """Exchange `folder` and `<folder>.previous`; a second time undoes the first.

    Hold `locked(folder)` meanwhile.
    """
    settle(folder)
    previous = previous_of(folder)
    if not (folder.exists() and _exchange(previous, folder)):
        if folder.exists():
            folder.rename(_beside(folder, "was"))
        previous.rename(folder)
    sync_folder(folder.parent)
    settle(folder)


def settle(folder: Path) -> None:
    """Finish what `install` or `roll_back` has begun, or undo it. Hold `locked(folder)` meanwhile.

    Each of them ends with this, and a kill before leaves it to the next command. Beside the folder
    may be `.new`, the copy until it is exchanged and the old folder afterwards (a mark inside the
    copy tells which); `.was`, the old folder on its way to `.previous`; and `.old`, which is
    removed.
    """
    new, was, old = (_beside(folder, purpose) for purpose in _LEFT)
    if new.exists() and not (new / _MARK).exists():
        new.rename(was)
    if not folder.exists() and (was.exists() or old.exists()):
        (was if was.exists() else old).rename(folder)
    (folder / _MARK).unlink(missing_ok=True)
    _remove(old, old)
    if was.exists():
        if previous_of(folder).exists():
            previous_of(folder).rename(old)
        was.rename(previous_of(folder))
    # Removed under another name, because half of a copy may have lost its mark.
    _remove(new, old)
    _remove(old, old)
    if folder.parent.exists():
        sync_folder(folder.parent)


def replace(beside: Path, folder: Path) -> None:
    """Rename `beside` to `folder` and delete the old folder. Hold `locked(folder)` meanwhile."""
    settle(folder)
    old = _beside(folder, "old")
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
    return _named(folder, "{}.previous")


def recover(folder: Path) -> None:
    """Finish or undo, with `settle`, what a process that was killed has begun; else do nothing."""
    if not any(_beside(folder, purpose).exists() for purpose in _LEFT):
        return
    whole = folder.exists()
    try:
        # Whoever replaces a whole folder at this moment settles it, so nobody waits for that.
        with locked(folder, seconds=0 if whole else _LOCK_SECONDS):
            settle(folder)
    except (UserError, OSError):  # the latter: a folder that may be read only
        if not whole:
            raise


@contextmanager
def locked(folder: Path, *, seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """Lock a folder for this process, so that no other one replaces it at the same time.

    The lock is a file beside the folder, because the folder itself is renamed.

    Args:
        folder: The folder.
        seconds: How long to wait for another process.

    Raises:
        UserError: Another process holds the lock.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(_beside(folder, "lock"))
    try:
        held.acquire(timeout=seconds)
    except Timeout:
        raise UserError(
            f"{folder} is being replaced by another process; wait for it to end"
        ) from None
    try:
        yield
    finally:
        held.release()


def _beside(folder: Path, purpose: str) -> Path:
    return _named(folder, f".{{}}.{purpose}")


def _named(folder: Path, pattern: str) -> Path:
    whole = folder if folder.name else folder.absolute()  # "." has no name
    return whole.with_name(pattern.format(whole.name))


def _remove(folder: Path, old: Path) -> None:
    """Remove a folder, under the name `old` from the first step on."""
    if folder.exists():
        if folder != old:
            folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)


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
