"""A glance at photographs in their headers: how many tiles, how much memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import prod

from alvision.core.errors import UserError
from alvision.data.framing import crop_box
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage
from alvision.data.pictures import upright_size
from alvision.data.storage.stored_path import ImagePath
from alvision.data.tiles import tiled

GLANCE = 50
"""Photographs that are looked at, from the first to the last."""

Size = tuple[int, int]


def glance(paths: Sequence[ImagePath]) -> Sequence[ImagePath]:
    """Return some of the files, evenly over all of them."""
    return paths[:: max(1, -(-len(paths) // GLANCE))]


def sizes(paths: Iterable[ImagePath], spec: ImageSpec) -> Iterator[Size]:
    """Yield width and height of the photographs that can be read."""
    for path in paths:
        with suppress(UnreadableImage):  # it is set aside, and named, where all images are read
            yield upright_size(path, spec)


def tiles_of(size: Size, spec: ImageSpec) -> int | None:
    """Return how many tiles a photograph becomes; None where it is smaller than one."""
    try:
        return prod(tiled(size, spec)[2])
    except UnreadableImage:
        return None


def first_count(paths: Iterable[ImagePath], spec: ImageSpec) -> int | None:
    """Return the tiles of the first photograph that can be cut; looks at 8."""
    counts = (tiles_of(size, spec) for size in sizes(islice(paths, 8), spec))
    return next((count for count in counts if count), None)


def bytes_of(size: Size, spec: ImageSpec) -> int:
    """Return about how many bytes a photograph takes while it is decoded and cut; tiles included.

    Pillow spends 4 bytes on a pixel in colour and twice 3 on handing it over; the region and what
    it is scaled to, which come later, need no more.
    """
    return 10 * prod(size) + 3 * prod(spec.shape) * (tiles_of(size, spec) or 0)


def largest(paths: Sequence[ImagePath], spec: ImageSpec) -> Size | None:
    """Return the size of the photograph that takes the most memory; None where none is read."""
    return max(sizes(glance(paths), spec), key=lambda size: bytes_of(size, spec), default=None)


def mixed(paths: Sequence[ImagePath], spec: ImageSpec) -> str | None:
    """Say that photographs of several sizes become unlike numbers of tiles; None if they do not.

    Raises:
        UserError: All that were looked at are smaller than one tile.
    """
    found = sorted(set(sizes(glance(paths), spec)), key=prod)
    counts = [count for size in found if (count := tiles_of(size, spec))]
    if found and not counts:
        height, width = spec.shape
        left, top, right, bottom = crop_box(found[-1], spec.region)
        what = "the photographs" if spec.region is None else "what is used of the photographs"
        raise UserError(
            f"a tile of {width} x {height} pixels is larger than {what} ({right - left} x "
            f"{bottom - top}): set a smaller data.image.size, or data.image.tiles=null"
        )
    small = ", and those smaller than a tile are set aside" if len(counts) < len(found) else ""
    if len(set(counts)) < 2 and not small:
        return None
    least, most = (f"{size[0]} x {size[1]}" for size in (found[0], found[-1]))
    return (
        f"the photographs are of {least} to {most} pixels, so each becomes {min(counts)} to "
        f"{max(counts)} tiles of its own{small}"
    )
