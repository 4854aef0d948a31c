"""Images below a folder, with the first-level folders as classes where they can be."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES, heic_is_supported
from alvision.data.sources.rows import Listing, Row, existing_root, normal

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig

SKIPPED_SUFFIX = ".alvision"
"""Folders that hold what alvision keeps beside the data."""


def folder(cfg: DataConfig) -> Listing:
    """List every image below the root.

    Where all images are in first-level folders, two of them or more, these are the classes;
    otherwise no class is known.

    Raises:
        UserError: If the root is missing or holds no image.
    """
    root = existing_root(cfg)
    paths = image_files(root)
    parents = {path.relative_to(root).parent for path in paths}
    classes_known = len(parents) > 1 and all(len(parent.parts) == 1 for parent in parents)
    return Listing(root, [_row(path, root, classes_known) for path in paths])


def class_folders(cfg: DataConfig) -> Listing:
    """List every image below the root; its first-level folder is its class.

    Raises:
        UserError: If the root is missing or holds no image, or an image is in no class folder.
    """
    root = existing_root(cfg)
    paths = image_files(root)
    loose = [path.name for path in paths if path.parent == root]
    if loose:
        raise UserError(
            f"{len(loose)} images are directly in {root}, first {loose[0]!r}: "
            "with data=class_folders every image is in the folder of its class"
        )
    return Listing(root, [_row(path, root, True) for path in paths])


def _row(path: Path, root: Path, class_known: bool) -> Row:
    id = path.relative_to(root).as_posix()
    try:
        id.encode()
    except UnicodeEncodeError:
        raise UserError(f"the file name {id!a} is not valid UTF-8: rename the file") from None
    return Row(normal(id), path, truth=normal(id.split("/")[0]) if class_known else None)


def image_files(root: Path) -> list[Path]:
    """Return every image below a folder, in order of path.

    Raises:
        UserError: There is none, or a folder cannot be read.
    """
    files = sorted(_files(root, frozenset()))
    supported = SUFFIXES | (HEIC_SUFFIXES if heic_is_supported() else frozenset())
    images = [path for path in files if path.suffix.lower() in supported]
    left_out = sum(path.suffix.lower() in HEIC_SUFFIXES - supported for path in files)
    hint = f"{left_out} HEIC files need: pip install alvision[heic]" if left_out else ""
    if not images:
        looked_for = " ".join(sorted(suffix[1:] for suffix in supported))
        raise UserError(
            f"no image below data.root {root} (looked for {looked_for} in all folders)"
            + (f"; {hint}" if hint else ": check data.root")
        )
    if hint:
        logging.getLogger(__name__).warning("%s; they are left out", hint)
    return images


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    # Links to folders are followed, as data sets are often put together from them; a link back
    # to a folder that we are in would never end.
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = [
                (Path(entry.path), entry.is_dir())
                for entry in entries
                if not entry.name.startswith(".") and (entry.is_dir() or entry.is_file())
            ]
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None
    for path, is_folder in found:
        if not is_folder:
            yield path
        elif path.suffix != SKIPPED_SUFFIX:
            yield from _files(path, above | {real})
