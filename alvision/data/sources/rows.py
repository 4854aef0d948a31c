"""Rows, which every reader of a data set returns, and the rules for ids that they share."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from alvision.core.errors import UserError
from alvision.core.uris import is_uri
from alvision.data.storage.stored_path import ImagePath, place

if TYPE_CHECKING:
    import numpy as np

    from alvision.config.schema import DataConfig
    from alvision.core.records import SampleId


class Shown(NamedTuple):
    """What people are shown of a table's row beside its image, or in place of one.

    Attributes:
        text: The text that is asked about; None: there is none.
        fields: Further columns and their cells, in the table's order; blank cells are left out.
        pictured: The row's path is an image.
    """

    text: str | None
    fields: tuple[tuple[str, str], ...] = ()
    pictured: bool = False


class Row(NamedTuple):
    """One image as its source describes it; features are a float32 vector.

    `shown` is what people see of it, where that is not a photograph alone. `answer_shares` says how
    often people give each answer, in the few data sets that know.
    """

    id: SampleId
    path: ImagePath
    truth: str | None = None
    group: str | None = None
    split: str | None = None
    features: np.ndarray | None = None
    answer_shares: Mapping[str, float] | None = None
    shown: Shown | None = None


class Listing(NamedTuple):
    """The rows of a source, in any order, and the folder that their ids are relative to.

    `set_aside` has the files that cannot be rows, by printable name, and the reason.
    """

    root: ImagePath
    rows: list[Row]
    set_aside: Mapping[str, str] = MappingProxyType({})


def normal(text: str) -> str:
    r"""Return the text in NFC, so that one name has one form on every system.

    >>> normal("u\u0308ber") == "\u00fcber"
    True
    """
    return unicodedata.normalize("NFC", text)


def absolute(path: str | Path) -> Path:
    """Return an absolute path without `..`; links keep their names."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 (resolve follows links)


def existing_root(cfg: DataConfig) -> ImagePath:
    """Return `data.root`: an address of storage, or a folder's absolute path.

    Raises:
        UserError: If it is not set, is not a folder, or is no address.
    """
    return place(str(cfg.root)) if is_uri(cfg.root) else existing_folder(cfg)


def existing_folder(cfg: DataConfig) -> Path:
    """Return `data.root` as an absolute path on this computer.

    Raises:
        UserError: If it is not set or is not a folder.
    """
    if not cfg.root:
        raise UserError(f"data={cfg.kind} needs data.root=FOLDER: the folder with the images")
    if is_uri(cfg.root):
        raise UserError(f"data={cfg.kind} needs a folder of this computer as data.root")
    root = absolute(cfg.root)
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise UserError(f"data.root {root} {what}: set data.root to the folder with the images")
    return root


def existing_file(cfg: DataConfig) -> Path:
    """Return `data.file` as an absolute path; a relative one is below `data.root`, if set.

    Raises:
        UserError: If it is not set or is not a file.
    """
    if not cfg.file:
        raise UserError(f"data={cfg.kind} needs data.file=TABLE: the table that lists the images")
    root = existing_folder(cfg) if cfg.root and not is_uri(cfg.root) else Path()
    file = absolute(root / Path(cfg.file).expanduser())
    if not file.is_file():
        raise UserError(
            f"data.file {file} does not exist: set data.file to a file below data.root, "
            "or to an absolute path"
        )
    return file
