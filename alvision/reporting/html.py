"""What every HTML report shares: the templates, the thumbnails and the way numbers are written."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from PIL import Image

from alvision.core.rounds import write_atomically

if TYPE_CHECKING:
    from alvision.core.records import SampleId
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

THUMBNAIL_SIDE = 112
"""Pixels; at this size a JPEG takes some 4 kB of the page."""


class Thumbnails:
    """Pictures for a page, as data addresses, until the page's budget of pictures is spent."""

    def __init__(
        self, manifest: Manifest | None, spec: ImageSpec | None = None, *, budget: int = 480
    ) -> None:
        """Show the images of `manifest` as a network sees them: through `spec`.

        Args:
            manifest: Where the images are; None shows a placeholder for each.
            spec: The evaluation transform; None shows whole images.
            budget: Most pictures on one page; a picture that is shown twice counts twice.
        """
        self._manifest = manifest
        self._spec = spec
        self._left = budget

    def address(
        self, sample: SampleId, sha256: str | None = None, over: Path | None = None
    ) -> str | None:
        """Return a `data:` address of the image; None where a placeholder is due.

        Args:
            sample: The image.
            sha256: The bytes that are meant; another photograph of today's is not shown for them.
            over: A transparent picture of the photograph's proportions that lies over it.
        """
        if self._left <= 0 or (pixels := self.pixels(sample, sha256)) is None:
            return None
        self._left -= 1
        if over is not None:
            pixels = self._covered(pixels, over)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=80, optimize=True)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")

    def _covered(self, pixels: np.ndarray, over: Path) -> np.ndarray:
        from alvision.data.framing import squared
        from alvision.data.images import ImageSpec, as_seen

        spec = (self._spec or ImageSpec(size=THUMBNAIL_SIDE)).scaled(THUMBNAIL_SIDE)
        try:
            with Image.open(over, formats=["PNG"]) as picture:
                layer = np.asarray(picture.convert("RGBA"))
        except OSError:  # half written, or gone
            return pixels
        opacity, nothing = (
            squared(as_seen(part, spec))[..., :1].astype(np.float32) / 255
            for part in (layer[..., 3:], np.zeros_like(layer[..., 3:]))
        )
        share = opacity - nothing  # bars and what is outside the region of interest are grey
        return np.rint(pixels * (1 - share) + layer[0, 0, :3] * share).astype(np.uint8)

    def pixels(self, sample: SampleId, sha256: str | None = None) -> np.ndarray | None:
        """Return the image as uint8 [THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3]; None if unavailable."""
        from alvision.data.framing import squared
        from alvision.data.images import ImageSpec, UnreadableImage, load

        if self._manifest is None:
            return None
        spec = self._spec or ImageSpec(size=THUMBNAIL_SIDE)
        try:
            path = self._manifest.path(sample)
            of_bytes = sha256 is not None and self._manifest.features is None  # not of an embedding
            if of_bytes and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                return None
            return squared(load(path, spec.scaled(THUMBNAIL_SIDE)))
        except (UnreadableImage, OSError, LookupError):
            return None


def number(value: Any, digits: int = 3) -> str:
    """Write a number for a reader; a dash where there is none.

    >>> number(0.12345), number(None), number(float("nan")), number(20)
    ('0.123', '–', '–', '20')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Write a difference with its sign.

    >>> signed(0.0312), signed(-0.5), signed(-0.0001), signed(None)
    ('+0.031', '−0.500', '0.000', '–')
    """
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(text[1:]) == 0 else text


def count(amount: int, thing: str) -> str:
    """Write an amount of things.

    >>> count(1, "image"), count(2500, "image"), count(2, "class")
    ('1 image', '2,500 images', '2 classes')
    """
    plural = thing if amount == 1 else thing + ("es" if thing.endswith("s") else "s")
    return f"{amount:,} {plural}"


def render(template: str, **context: Any) -> str:
    """Fill a template of `templates/`; every value is escaped."""
    return _templates().get_template(template).render(**context)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, signed=signed, count=count)
    return environment


def save(path: Path, html: str) -> Path:
    """Write a page in one step, so that a reader never sees half of one."""
    write_atomically(path, lambda beside: _write_text(beside, html))
    return path


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
