"""Where labels are stored: one store for each data set, and the file of its held-out groups."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from alvision.core.errors import UserError
from alvision.labels.csv_dialect import read_table, write_table

_NETWORK = ("nfs", "cifs", "smb", "afpfs", "fuse.sshfs", "fuse.glusterfs", "ceph", "lustre")
_DRIVE_REMOTE = 4
PARTS = ("pool", "monitor", "seal")


def labels_location(data_root: Path, name: str | None = None) -> Path:
    """Return the file of the store for people's labels of `data_root`.

    It is `<name>.alvision/labels.db` beside the root. Where that folder cannot be written, it is
    in the platform's folder for user data, with a `root.txt` that names the root. An existing store
    is used in either place.

    Args:
        data_root: Folder of the images, or the table that lists the data.
        name: First part of the folder's name; by default that of the root.

    Raises:
        UserError: The root is missing, is on a network drive (SQLite's locks are not safe
            there), or has a store beside it that cannot be written.
    """
    root = data_root.resolve()
    if not root.exists():
        raise UserError(f"data.root={data_root} is not a folder: check the path")
    if on_network(root):
        raise UserError(
            f"data.root={data_root} is on a network drive, where a label store is not safe:"
            " set labels.url to a file on a local disk"
        )
    return _place(root, name or root.name or "data")


def audit_location(store: Path | None, data_root: Path) -> Path:
    """Return the file that lists the held-out groups; it is beside the labels.

    Args:
        store: The file of the labels; None where they are on a server: then the place where they
            would be without one.
        data_root: Folder of the images.

    Raises:
        UserError: No folder can be written.
    """
    if store is not None:
        return store.with_name("audit.csv")
    root = data_root.resolve()
    return _place(root, root.name or "data").with_name("audit.csv")


def stored_labels(data_root: Path) -> Path | None:
    """Return the file of the store that holds the labels of `data_root`; None if there is none.

    Unlike `labels_location` this makes no folder, so a report may ask.
    """
    root = data_root.resolve()
    return next((place for place in _places(root, root.name or "data") if place.exists()), None)


def beside_data(data_root: Path, name: str) -> Path:
    """Return the place of a file about the data that all its runs share; makes no folder.

    Args:
        data_root: Folder of the images.
        name: Name of the file; it is beside where people's labels are, or would be.
    """
    root = data_root.resolve()
    places = [place.with_name(name) for place in _places(root, root.name or "data")]
    found = [place for place in places if place.exists()]
    return [*found, *(places if os.access(root.parent, os.W_OK) else places[::-1])][0]


def _places(root: Path, name: str) -> tuple[Path, Path]:
    """Return where a store may be: beside the root, and in the folder for user data."""
    beside = root.parent / f"{name}.alvision" / "labels.db"
    digest = hashlib.blake2b(str(root).encode(), digest_size=6).hexdigest()
    at_home = platformdirs.user_data_path("alvision") / "labels" / f"{name}-{digest}" / beside.name
    return beside, at_home


def _place(root: Path, name: str) -> Path:
    """Return a store's file beside the root, or in the folder for user data."""
    beside, at_home = _places(root, name)
    if beside.exists():
        if not _writable(beside.parent):
            raise UserError(
                f"{beside} holds the labels but cannot be written:"
                " allow writing to its folder, or set labels.url"
            )
        return beside
    if not at_home.exists() and _writable(beside.parent):
        return beside
    if not _writable(at_home.parent):
        raise UserError(
            f"neither {beside.parent} nor {at_home.parent} can be written: set labels.url"
        )
    (at_home.parent / "root.txt").write_text(f"{root}\n", encoding="utf-8", newline="")
    return at_home


def on_network(path: Path) -> bool:
    """Tell whether a path is on a network drive; False where that cannot be found out."""
    if str(path).startswith(("\\\\", "//")):
        return True
    if sys.platform == "win32":
        return ctypes.windll.kernel32.GetDriveTypeW(path.anchor) == _DRIVE_REMOTE
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return file_system(path, mounts).startswith(_NETWORK)


def file_system(path: Path, mounts: str) -> str:
    r"""Return the type of file system that holds a path, given the text of `/proc/self/mounts`.

    >>> file_system(Path("/mnt/line 3/a"), "/dev/sda / ext4 rw\nnas:/x /mnt/line\\0403 nfs4 rw")
    'nfs4'
    """
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return found


def read_audit(path: Path) -> dict[str, str]:
    """Return the part of all that was ever drawn, by its name; empty if there is no file.

    A name is a group's, or `image:<id>`, or `sha256:<hash>` of an image's bytes.

    Raises:
        UserError: The table has other columns, a part that is not `pool`, `monitor` or `seal`, or
            one group in two parts.
    """
    if not path.exists():
        return {}
    table = read_table(path)
    table.require("group", "part")
    parts: dict[str, str] = {}
    for row in table.rows:
        group, part = row.cells["group"], row.cells["part"]
        if part not in PARTS:
            raise UserError(f"{path}, row {row.number}: part {part!r} is not {', '.join(PARTS)}")
        if parts.setdefault(group, part) != part:
            raise UserError(f"{path}, row {row.number}: group {group!r} is in two parts")
    return parts


def write_audit(path: Path, parts: Mapping[str, str]) -> None:
    """Write the part of every group, in the order given, whole or not at all."""
    write_table(path, ("group", "part"), parts.items())


def _writable(folder: Path) -> bool:
    """Make the folder and write in it: permissions alone do not tell, least of all on Windows."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
