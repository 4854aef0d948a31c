"""The addresses and the pixels of images on the page, and the secret that both depend on."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.data.images import UnreadableImage
from alvision.data.pictures import picture, upright_size

LONGEST = {"thumb": 160, "full": 1600}
"""Pixels of the longer side, at most: a full image fills a screen, a thumbnail is 116 wide."""

_SECRET_BYTES = 32

# The images in the hands of some twenty people: 14 each of some 200 kB.
_KEPT_BYTES = 64 * 1024 * 1024
_SIZES_KEPT = 100_000


class ServedImages:
    """Serve the images of a data set, and nothing else of its folder.

    An address is a keyed hash of the id, so nobody can guess or read it. It leads to one of the
    listed images or nowhere: no part of an address is ever used as a path.

    Args:
        paths: The file of each image.
        secret: Key of the addresses.
        cache: Folder for thumbnails.
        value_range: Raw values (black, white) of images deeper than 8 bits.
    """

    def __init__(
        self,
        paths: Mapping[SampleId, Path],
        secret: bytes,
        cache: Path,
        value_range: Sequence[float] | None = None,
    ) -> None:
        self._paths = paths
        self._cache = cache
        self._range = value_range
        self._address = {id: keyed(secret, "image", id) for id in paths}
        self._id = {address: id for id, address in self._address.items()}
        self._sizes: dict[SampleId, tuple[int, int] | None] = {}
        self._kept: OrderedDict[tuple[SampleId, str], bytes] = OrderedDict()
        self._kept_bytes = 0
        # Pictures are served without the state's lock, because decoding one takes long; this lock
        # covers the kept ones and is never held while one is decoded.
        self._lock = threading.Lock()
        # A decoded photograph of 50 megapixels takes 150 MB, so no more than two at a time.
        self._decoding = threading.BoundedSemaphore(2)

    def address(self, id: SampleId) -> str:
        """Return the address of an image; KeyError if it is unknown."""
        return self._address[id]

    def id(self, address: str) -> SampleId | None:
        """Return the image at an address, None if there is none."""
        return self._id.get(address)

    def size(self, id: SampleId) -> tuple[int, int] | None:
        """Return width and height of the full picture; None if the image cannot be shown."""
        if id not in self._sizes:
            if len(self._sizes) > _SIZES_KEPT:
                self._sizes.clear()
            try:
                self._sizes[id] = _fitted(upright_size(self._paths[id]))
            except UnreadableImage:
                self._sizes[id] = None
        return self._sizes[id]

    def jpeg(self, id: SampleId, size: str) -> bytes:
        """Return a picture as JPEG, decoded and encoded anew.

        Args:
            id: The image.
            size: `thumb` or `full`.

        Raises:
            UnreadableImage: It cannot be shown.
        """
        with self._lock:
            if (id, size) in self._kept:
                self._kept.move_to_end((id, size))
                return self._kept[id, size]
        if size == "thumb":
            content = self._on_disk(id, lambda: self._encode(id, size))
        else:
            content = self._encode(id, size)
        with self._lock:
            if (id, size) not in self._kept:
                self._kept[id, size] = content
                self._kept_bytes += len(content)
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest)
        return content

    def _encode(self, id: SampleId, size: str) -> bytes:
        with self._decoding:
            image = picture(self._paths[id], LONGEST[size], self._range)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90 if size == "full" else 80)
        return buffer.getvalue()

    def _on_disk(self, id: SampleId, make: Callable[[], bytes]) -> bytes:
        """Keep a picture in the cache folder, under a name that changes with the file."""
        try:
            status = self._paths[id].stat()
        except OSError as error:
            raise UnreadableImage("file is missing") from error
        stamp = f"{self._paths[id]}\x1f{status.st_size}\x1f{status.st_mtime_ns}\x1f{self._range}"
        name = keyed(b"", "thumbnail", stamp)
        file = self._cache / name[:2] / f"{name}.jpg"
        try:
            return file.read_bytes()
        except OSError:
            content = make()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Written beside and renamed, so that another thread never reads half a picture.
            beside = file.with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")
            beside.write_bytes(content)
            beside.replace(file)
        except OSError:
            pass  # the page works without its cache
        return content


def read_secret(path: Path) -> bytes:
    """Return the secret of a data set's page; make it at the first call, for its owner to read.

    It stays the same over restarts: an answer that waits in a browser names an image by its
    address, and a tablet keeps its link.

    Raises:
        UserError: The file cannot be written, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        if not path.exists():
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_SECRET_BYTES))
            if path.exists():  # two servers started at once: keep the first one's secret
                beside.unlink()
            else:
                beside.replace(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise UserError(f"{path} cannot be made ({error.strerror}): set labels.url") from error
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise UserError(f"{path} is damaged: delete it; open pages must then be loaded again")
    return secret


def keyed(secret: bytes, purpose: str, text: str, size: int = 12) -> str:
    """Hash a text under the secret, in hexadecimal; each purpose has hashes of its own.

    >>> keyed(b"key", "image", "a.png") == keyed(b"key", "token", "a.png")
    False
    """
    person = purpose.encode()
    return hashlib.blake2b(text.encode(), digest_size=size, key=secret, person=person).hexdigest()


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    shrink = min(1.0, LONGEST["full"] / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))
