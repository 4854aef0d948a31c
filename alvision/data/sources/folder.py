"""Images below a folder, with the first-level folders as classes where they can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.walk import files_below, left_behind, printable
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES, heic_is_supported
from alvision.data.sources.rows import Listing, Row, existing_root, normal
from alvision.data.storage.listing import Rest, listed
from alvision.data.storage.stored_path import ImagePath, StoredPath

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
    found = _images(root)
    return _listing(root, found, classes_are_folders(found))


def classes_are_folders(ids: Iterable[str]) -> bool:
    """Tell whether all images are in first-level folders, two of them or more.

    >>> classes_are_folders(["ok/1.png", "worn/1.png"]), classes_are_folders(["ok/1.png", "2.png"])
    (True, False)
    """
    parents = {PurePosixPath(id).parent for id in ids}
    return len(parents) > 1 and all(len(parent.parts) == 1 for parent in parents)


def class_folders(cfg: DataConfig) -> Listing:
    """List every image below the root; its first-level folder is its class.

    Raises:
        UserError: If the root is missing or holds no image, or an image is in no class folder.
    """
    root = existing_root(cfg)
    found = _images(root)
    loose = [id for id in found if "/" not in id]
    if loose:
        raise UserError(
            f"{len(loose)} images are directly in {root}, first {loose[0]!r}: "
            "with data=class_folders every image is in the folder of its class"
        )
    return _listing(root, found, True)


def _images(root: ImagePath) -> dict[str, ImagePath]:
    """Return the images below a folder or a prefix, by the path from there."""
    if isinstance(root, Path):
        return {path.relative_to(root).as_posix(): path for path in image_files(root)}
    below = {path.relative_to(root).as_posix(): path for path in stored_files(root)}
    return {id: below[id] for id in image_names(sorted(below), root)}


def stored_files(root: StoredPath) -> Iterator[StoredPath]:
    """Yield every object below a prefix that is part of the data, in any order.

    Raises:
        UserError: The store refuses or does not answer.
    """
    base = root.uri.split("/", 3)
    for objects, _ in listed([Rest(root.uri)]):
        for one in objects:
            path = StoredPath("/".join((*base[:3], one.key)), one.size, one.etag)
            if not any(left_behind(part) for part in path.relative_to(root).parts):
                yield path


def _listing(root: ImagePath, found: Mapping[str, ImagePath], classes_known: bool) -> Listing:
    """Return the rows of images; those whose name nothing could store are set aside."""
    rows, aside, broken = [], {}, set()
    for id, path in found.items():
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
    by_name = {str(path): path for path in files}
    return [by_name[name] for name in image_names(list(by_name), root)]


def image_names(names: Sequence[str], root: ImagePath) -> list[str]:
    """Return the names that end as images do.

    Raises:
        UserError: There is none.
    """
    supported = SUFFIXES | (HEIC_SUFFIXES if heic_is_supported() else frozenset())
    suffixes = [PurePosixPath(name).suffix.lower() for name in names]
    images = [name for name, suffix in zip(names, suffixes, strict=True) if suffix in supported]
    left_out = sum(suffix in HEIC_SUFFIXES - supported for suffix in suffixes)
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
