import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alvision.data.decoding import decode
from alvision.data.images import ORIENTATION, ImageSpec, UnreadableImage, load
from tests.conftest import paint

GREY = np.asarray(paint(3, "worn", 96).convert("L"))[:70]
COLOUR = np.asarray(paint(4, "worn", 96))[:, :60]
DEEP = GREY.astype(np.uint16) * 250 + np.arange(96, dtype=np.uint16)


def worst(path, spec):
    """Return the largest difference in grey values from the reference."""
    fast = decode(path.read_bytes(), spec, path)
    assert fast.shape == (spec.size, spec.size, 3) and fast.dtype == np.uint8
    return np.abs(fast.astype(int) - load(path, spec)).max()


SAVED = {
    "grey.jpg": (GREY, {}),
    "colour.jpg": (COLOUR, {"quality": 90}),
    "progressive.jpg": (COLOUR, {"progressive": True, "subsampling": 0}),
    "cmyk.jpg": (np.dstack([COLOUR, COLOUR[..., 0]]), {}),
    "grey.png": (GREY, {}),
    "colour.png": (COLOUR, {}),
    "see_through.png": (np.dstack([COLOUR, COLOUR[..., :1]]), {}),
    "grey_key.png": (GREY, {"transparency": 40}),
    "deep.png": (DEEP, {}),
    "grey.tif": (GREY, {"compression": "tiff_lzw"}),
    "deep.tif": (DEEP, {}),
    "packed.tif": (DEEP, {"compression": "tiff_deflate"}),
    "motorola.tif": (DEEP.astype(">u2"), {}),
    "float.tif": (GREY.astype(np.float32) / 255, {}),
    "grey.bmp": (GREY, {}),
    "colour.bmp": (COLOUR, {}),
    "bits.bmp": (GREY > 99, {}),
    "colour.webp": (COLOUR, {"lossless": True}),
}


@pytest.mark.parametrize("name", SAVED)
def test_every_kind_of_file_is_within_one_grey_level(tmp_path, name):
    pixels, options = SAVED[name]
    mode = {"cmyk.jpg": "CMYK", "see_through.png": "RGBA"}.get(name)
    image = Image.fromarray(pixels)
    assert mode is None or image.mode in (mode, "RGBA")
    (image if mode in (None, image.mode) else image.convert(mode)).save(tmp_path / name, **options)
    for spec in (
        ImageSpec(32),
        ImageSpec(96),
        ImageSpec(150, crop=(0.1, 0.2, 0.75, 1)),
        ImageSpec(20, reduced=True),
        ImageSpec(20, crop=(0, 0, 0.5, 1), value_range=(100, 9000), reduced=True),
    ):
        if name == "float.tif" and spec.value_range:
            continue
        assert worst(tmp_path / name, spec) <= 1, spec


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
def test_files_of_another_writer_are_read_alike(tmp_path, suffix, bits):
    path = tmp_path / f"camera{suffix}"
    assert cv2.imwrite(str(path), GREY if bits == 8 else DEEP)
    assert worst(path, ImageSpec(40)) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "deep.png", "grey.jpg"])
def test_photographs_are_upright(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = {"deep.png": DEEP, "grey.jpg": GREY}.get(name, COLOUR)
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    for spec in (ImageSpec(24, crop=(0, 0, 0.5, 1)), ImageSpec(16, (0, 0, 1, 0.4), reduced=True)):
        assert worst(tmp_path / name, spec) <= 1


def test_reduced_decoding_reads_less_and_shows_the_same(tmp_path):
    path = tmp_path / "large.jpg"
    paint(3, "worn", 96).resize((800, 600)).save(path, quality=95)
    with Image.open(path) as image:
        image.draft(None, (100, 100))
        assert image.size == (200, 150)
    whole, reduced = (
        load(path, ImageSpec(100, reduced=flag)).astype(int) for flag in (False, True)
    )
    assert 0 < np.abs(whole - reduced).max() <= 16
    assert np.abs(whole - reduced).mean() < 1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.sampled_from(["JPEG", "PNG", "BMP", "TIFF"]),
    st.integers(0, 2**32 - 1),
    st.floats(0.1, 1),
)
def test_what_is_broken_for_one_is_broken_for_both(tmp_path_factory, kind, seed, share):
    buffer = io.BytesIO()
    Image.fromarray(COLOUR if seed % 2 else GREY).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    rng = np.random.default_rng(seed)
    if share < 0.5:
        content = content[: int(2 * share * len(content))]
    for place in rng.integers(0, max(1, len(content)), seed % 3):
        content[place] = rng.integers(256)
    path = tmp_path_factory.mktemp("broken") / f"a.{kind.lower()}"
    path.write_bytes(content)
    spec = ImageSpec(24)
    found = []
    for read in (lambda: load(path, spec), lambda: decode(bytes(content), spec, path)):
        try:
            found.append(read().astype(int))
        except UnreadableImage as error:
            found.append(error.reason)
    if isinstance(found[0], str):
        assert found[0] == found[1]
    else:
        assert np.abs(found[0] - found[1]).max() <= 1
