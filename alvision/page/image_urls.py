"""The addresses and the pixels of images on the page."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from alvision.core.records import SampleId
from alvision.data.framing import Seen, seen
from alvision.data.hashes import Stamp, file_stamp
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, read
from alvision.data.pictures import finest, photograph, picture, upright_size
from alvision.data.storage.stored_path import ImagePath
from alvision.page import tiles
from alvision.page.kept import Kept
from alvision.page.rows import ShownRow
from alvision.page.secret import keyed
from alvision.page.tiles import Tile

LONGEST = {"thumb": 160, "medium": 400, "full": 1600}
"""Pixels of the longer side, at most: a full image fills a screen, a thumbnail is 116 wide, and
a picture in a grid twice as wide as that, on a fine screen."""

# The images in the hands of some twenty people: 14 each of some 200 kB.
_KEPT_BYTES = 64 * 1024 * 1024
# Photographs that are zoomed into, decoded: five of 12 megapixels, or the largest that there is.
_PHOTOGRAPHS_BYTES = 256 * 1024 * 1024
_SIZES_KEPT = 100_000
NO_SIZE = (0, 0)
"""Width and height of a row without an image."""


class Replaced(Exception):
    """Raise this where a picture of certain bytes is asked for and the file has others by now."""


@dataclass(frozen=True)
class Look:
    """What a file holds.

    Attributes:
        sha256: Hash of its bytes.
        size: Width and height of the full picture.
        photograph: Width and height of what its tiles show, the photograph at full resolution.
        seen: What the network sees of it; None: all.
    """

    sha256: str
    size: tuple[int, int]
    photograph: tuple[int, int]
    seen: Seen | None = None


class ServedImages:
    """Serve the images of a data set, and nothing else of its folder.

    An address is a keyed hash of the id, so nobody can guess or read it. It leads to one of the
    listed images or nowhere: no part of an address is ever used as a path. A file may be replaced
    at any time, so whoever answers says which bytes they saw, by their sha256.

    Args:
        paths: The file of each image.
        secret: Key of the addresses.
        cache: Folder for thumbnails.
        spec: How the network reads them, and so how they are shown.
        rows: Rows of a table by id, whose content has a name of its own and may be no image.
    """

    def __init__(
        self,
        paths: Mapping[SampleId, ImagePath],
        secret: bytes,
        cache: Path,
        spec: ImageSpec | None = None,
        rows: Mapping[SampleId, ShownRow] | None = None,
    ) -> None:
        self._rows = rows or {}
        self._secret = secret
        self._cache = cache
        self._spec = spec
        self._address: dict[SampleId, str] = {}
        self._id: dict[str, SampleId] = {}
        self._sizes: dict[SampleId, tuple[int, int] | None] = {}
        self._looks: dict[SampleId, tuple[Stamp, Look]] = {}
        self._shown: dict[SampleId, str | None] = {}
        # Pictures are served without the state's lock, because decoding one takes long.
        self._kept: Kept[bytes] = Kept(_KEPT_BYTES)
        self._photographs: Kept[Image.Image] = Kept(_PHOTOGRAPHS_BYTES)
        # A zoom asks for a dozen tiles at once: the first decodes, the others find it decoded.
        self._zooming = threading.Lock()
        # While one of 50 megapixels is decoded it takes 500 MB, so no more than two at a time.
        self._decoding = threading.BoundedSemaphore(2)
        self.relist(paths)

    def relist(self, paths: Mapping[SampleId, ImagePath]) -> None:
        """Serve these images from now on; addresses of others stay known, for late answers."""
        self._paths = paths
        for id in paths:
            self.address(id)
        self.forget_hidden()

    def forget_hidden(self) -> None:
        """Try images anew that could not be shown: a drive is back, a copy is whole by now."""
        self._sizes = {id: size for id, size in list(self._sizes.items()) if size}

    def address(self, id: SampleId) -> str:
        """Return the address of an image, whether or not it is there."""
        if id not in self._address:
            address = keyed(self._secret, "image", id)
            self._id[address], self._address[id] = id, address
        return self._address[id]

    def id(self, address: str) -> SampleId | None:
        """Return the image at an address, None if there never was one."""
        return self._id.get(address)

    def size(self, id: SampleId) -> tuple[int, int] | None:
        """Return width and height as last seen; None if the image cannot be shown.

        It asks the disk only once, so that many images can be gone through; `look` asks it now.
        """
        row = self._rows.get(id)
        if row and not row.pictured:
            return NO_SIZE
        if id not in self._sizes:
            if len(self._sizes) > _SIZES_KEPT:
                self._sizes.clear()
            try:
                path = self._paths.get(id)
                self._sizes[id] = None if path is None else _fitted(upright_size(path, self._spec))
            except UnreadableImage:
                self._sizes[id] = None
        return self._sizes[id]

    def hidden(self) -> int:
        """Return how many of the images that were looked at cannot be shown."""
        return sum(size is None for size in list(self._sizes.values()))

    def look(self, id: SampleId) -> Look | None:
        """Return what an image's file holds now; None if it cannot be shown.

        The file is read only if it has changed since the last look.
        """
        path, row = self._paths.get(id), self._rows.get(id)
        if row and not row.pictured:
            return Look(row.sha256, NO_SIZE, NO_SIZE)
        stamp = None if path is None else file_stamp(path)
        if path is None or stamp is None:
            self._sizes[id] = None
            return None
        known, settled = self._looks.get(id), stamp.settled
        if known and known[0] == stamp:
            return known[1]
        try:
            data = read(path)
            whole = upright_size(path, self._spec, data)
            found = Look(
                row.sha256 if row else hashlib.sha256(data).hexdigest(),
                _fitted(whole),
                finest(whole),
                None if self._spec is None else seen(whole, self._spec),
            )
        except UnreadableImage:
            self._sizes[id] = None
            return None
        self._sizes[id] = found.size
        if file_stamp(path) == stamp and settled:
            self._looks[id] = stamp, found
        else:
            self._looks.pop(id, None)
        return found

    def note_shown(self, id: SampleId, sha256: str) -> None:
        """Remember that somebody was given an image with these bytes."""
        self._shown[id] = sha256 if self._shown.get(id, sha256) == sha256 else None

    def shown(self, id: SampleId) -> str | None:
        """Return the only bytes that were given out of an image; None if there are none or two."""
        return self._shown.get(id)

    def jpeg(self, id: SampleId, size: str, sha256: str | None = None) -> bytes:
        """Return a picture as JPEG, decoded and encoded anew.

        Args:
            id: The image.
            size: `thumb`, `medium` or `full`.
            sha256: The bytes whose picture is wanted; None: those of now.

        Raises:
            UnreadableImage: It cannot be shown.
            Replaced: The file has other bytes.
        """
        if sha256 is None and size == "thumb":
            return self._thumbnail(id)
        if sha256 is not None and (kept := self._kept.get((sha256, size))):
            return kept
        with self._decoding:
            path, data, found = self._read(id, sha256)
            if kept := self._kept.get((found, size)):
                return kept
            content = self._encode(path, size, data)
        self._kept.keep((found, size), content, len(content))
        return content

    def tile(self, id: SampleId, sha256: str, tile: Tile) -> bytes | None:
        """Return a tile of a photograph as JPEG; None: it lies outside.

        Args:
            id: The image.
            sha256: The bytes whose picture is wanted.
            tile: Which one, of the picture that `Look.photograph` is the size of.

        Raises:
            UnreadableImage: It cannot be shown.
            Replaced: The file has other bytes.
        """
        if kept := self._kept.get((sha256, tile)):
            return kept
        with self._zooming:
            whole = self._photographs.get(sha256)
            if whole is None:
                with self._decoding:
                    path, data, _ = self._read(id, sha256)
                    whole = photograph(path, self._spec, data)
                # Pillow spends four bytes on a pixel in colour.
                size = whole.width * whole.height * (1 if whole.mode == "L" else 4)
                self._photographs.keep(sha256, whole, size)
        content = tiles.jpeg(whole, tile)
        if content is not None:
            self._kept.keep((sha256, tile), content, len(content))
        return content

    def _read(self, id: SampleId, sha256: str | None) -> tuple[ImagePath, bytes, str]:
        """Return an image's file, its bytes and their sha256, which must be the given one."""
        path, row = self._paths.get(id), self._rows.get(id)
        if path is None:
            raise UnreadableImage("file is missing")
        if row and not row.pictured:
            raise UnreadableImage("the row has no image")
        data = read(path)
        found = row.sha256 if row else hashlib.sha256(data).hexdigest()
        if sha256 not in (None, found):
            self._looks.pop(id, None)
            raise Replaced(id)
        return path, data, found

    def _encode(self, path: ImagePath, size: str, data: bytes | None = None) -> bytes:
        image = picture(path, LONGEST[size], self._spec, data)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90 if size == "full" else 80)
        return buffer.getvalue()

    def _thumbnail(self, id: SampleId) -> bytes:
        """Return a thumbnail from memory or the cache folder, by a name that changes with the file.

        The file itself is read only where there is none: a list shows dozens of them.
        """
        path, row = self._paths.get(id), self._rows.get(id)
        stamp = None if path is None or (row and not row.pictured) else file_stamp(path)
        if path is None or stamp is None:
            raise UnreadableImage("file is missing")
        text = f"{path}\x1f{stamp.size}\x1f{stamp.modified}\x1f{self._spec}"
        name, settled = keyed(b"", "thumbnail", text), stamp.settled
        if kept := self._kept.get((name, "thumb")):
            return kept
        file = self._cache / name[:2] / f"{name}.jpg"
        try:
            content = file.read_bytes()
        except OSError:
            with self._decoding:
                content = self._encode(path, "thumb")
            if file_stamp(path) != stamp or not settled:
                return content
            _write(file, content)
        self._kept.keep((name, "thumb"), content, len(content))
        return content


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that another thread never reads half a picture.
        beside = file.with_name(f".{file.stem}.{os.getpid()}.{threading.get_ident()}")
        beside.write_bytes(content)
        beside.replace(file)
    except OSError:
        pass  # the page works without its cache


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    shrink = min(1.0, LONGEST["full"] / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))
