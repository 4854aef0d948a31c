"""Put a folder in the place of another one, so that a kill at any moment leaves a whole one."""

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
_EXCHANGE, _HERE = 2, -100
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def install(
    source: Path, folder: Path, *, check: Callable[[Path], object] = lambda copy: None
) -> None:
    """Put a copy of `source` in the place of `folder`, which becomes `<folder>.previous`.

    Where the file system can exchange two folders in one step (Linux), `folder` is there at every
    moment. Elsewhere it is missing for the moment between two renames; after a kill just then,
    `recover` brings it back. Hold `locked(folder)` meanwhile.

    Args:
        source: What to copy.
        folder: Where to; may be new.
        check: Looks at the copy before it is put in place, and may raise.
    """
    beside, previous = _beside(folder, "part"), previous_of(folder)
    _copy(source, beside)
    check(beside)
    if folder.exists():
        # The old folder is kept before anything happens to it.
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
    """Rename `beside` to `folder`; what was there is gone afterwards. Hold `locked(folder)`."""
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
    """Return where the folder is kept that another one took the place of."""
    return folder.with_name(f"{folder.name}.previous")


def recover(folder: Path) -> None:
    """Bring a folder back that a kill between two renames took away; else do nothing."""
    if folder.exists() or not _beside(folder, "old").exists():
        return
    with locked(folder):
        if not folder.exists() and _beside(folder, "old").exists():
            _beside(folder, "old").rename(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a place for this process.

    Raises:
        UserError: Another process has it.
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
    """Copy a folder and force every byte of it to disk."""
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
    """Swap two names in one step (renameat2); False where that cannot be done."""
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
