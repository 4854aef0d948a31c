"""Images below a folder, with the first-level folders as classes where they can be."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.walk import files_below, printable
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES, heic_is_supported
from alvision.data.sources.rows import Listing, Row, existing_root, normal

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig


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
    return _listing(root, paths, classes_known)


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
    return _listing(root, paths, True)


def _listing(root: Path, paths: list[Path], classes_known: bool) -> Listing:
    """Return the rows of images; those whose name nothing could store are set aside."""
    rows, aside, broken = [], {}, set()
    for path in paths:
        id = path.relative_to(root).as_posix()
        if printable(id) == id:
            label = normal(id.split("/")[0]) if classes_known else None
            rows.append(Row(normal(id), path, truth=label))
            continue
        aside[printable(id)] = "the name is not UTF-8: rename it"
        first = id.split("/")[0]
        if printable(first) != first:
            broken.add(printable(first))
    if broken and classes_known:
        raise UserError(
            f"the names of {len(broken)} class folders below {root} are not UTF-8: "
            f"{', '.join(sorted(broken))}; rename them (on Linux: convmv -f cp1252 -t utf-8)"
        )
    if not rows:
        raise UserError(
            f"the name of no image below {root} is UTF-8, first {next(iter(aside))}: rename them "
            "(on Linux: convmv -f cp1252 -t utf-8 -r)"
        )
    return Listing(root, rows, aside)


def image_files(root: Path) -> list[Path]:
    """Return every image below a folder, in order of path.

    Raises:
        UserError: There is none, or a folder cannot be read.
    """
    try:
        files = sorted(files_below(root))
    except OSError as error:
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from None
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
