"""Every kind of image is read alike by everybody who reads images, or refused alike."""

import io
import struct
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from alvision.data import images
from alvision.data.decoding import decode
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, load
from alvision.data.pictures import picture, upright_size
from alvision.deploy.bundle.predict_script import script
from alvision.deploy.bundle.statistics import SIDE
from alvision.page.image_urls import ServedImages
from alvision.reporting import watch
from tests.support import tiff
from tests.support.predict_py import load_predict_py
from tests.unit.data.test_images import ORIENTED

HIGH, WIDE = 16, 24
Y, X = np.mgrid[:HIGH, :WIDE]
GREY = (9 * Y + 4 * X).astype(np.uint8)  # no two corners alike: every turn shows
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])
DEEP, DEEP_COLOUR = GREY.astype(np.uint16) * 257, COLOUR.astype(np.uint16) * 257
SPEC = ImageSpec(WIDE)
TWELVE = ImageSpec(WIDE, value_range=(0, 4095))
ALPHA = np.full((HIGH, WIDE, 1), 102, np.uint8)
SHARE = 102 / 255


@dataclass(frozen=True)
class Kind:
    """A kind of file: how it is written, and what must be seen, [h, w] or [h, w, 3]."""

    write: object
    seen: np.ndarray
    spec: ImageSpec = SPEC
    suffix: str = ".tif"
    orientation: int = 1
    tolerance: int = 1


def by_hand(values, photometric, **options):
    return lambda path, turn: tiff.write(path, values, photometric, orientation=turn, **options)


def by_pillow(image, **options):
    def write(path, turn):
        exif = Image.Exif()
        exif[images.ORIENTATION] = turn
        image.save(path, exif=exif, **options)

    return write


def by_opencv(values, *options):
    return lambda path, turn: cv2.imwrite(str(path), values, options)


def twelve(values):
    """Return 8-bit values as 12 bits in 16: white is 4095."""
    return np.rint(values.astype(float) * 4095 / 255).astype(np.uint16)


def exif_behind_the_pixels(path, turn):
    """Write a PNG as programs leave it that add EXIF data to a finished file."""
    whole, plain = io.BytesIO(), io.BytesIO()
    by_pillow(Image.fromarray(COLOUR), format="PNG")(whole, turn)
    Image.fromarray(COLOUR).save(plain, "PNG")
    whole, plain = whole.getvalue(), plain.getvalue()
    start = whole.index(b"eXIf") - 4
    chunk = whole[start : start + 12 + int.from_bytes(whole[start : start + 4], "big")]
    end = plain.index(b"IEND") - 4
    path.write_bytes(plain[:end] + chunk + plain[end:])


def bmp_of_16_bits(path, turn):
    """Write a BMP with 5, 6 and 5 bits of red, green and blue."""
    red, green, blue = (COLOUR[::-1].astype(np.uint16) >> [3, 2, 3]).transpose(2, 0, 1)
    pixels = (red << 11 | green << 5 | blue).astype("<u2").tobytes()
    masks = (0xF800, 0x07E0, 0x001F)
    head = struct.pack("<IiiHHIIiiII3I", 40, WIDE, HIGH, 1, 16, 3, len(pixels), 0, 0, 0, 0, *masks)
    start = 14 + len(head)
    path.write_bytes(b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + pixels)


def turned(name, write, seen, spec=SPEC, **options):
    return {
        f"{name} turned {turn}": Kind(
            write, ORIENTED[turn](seen), spec, orientation=turn, **options
        )
        for turn in ORIENTED
    }


def grey(values, **options):
    return by_hand(values, tiff.BLACK_IS_ZERO, **options)


MOTOROLA, PACKED = {"order": ">"}, {"compression": tiff.DEFLATE}
BGR = COLOUR[..., ::-1]
LZW, NONE = (cv2.IMWRITE_TIFF_COMPRESSION, 5), (cv2.IMWRITE_TIFF_COMPRESSION, 1)
KINDS = {
    **turned("grey raw", grey(GREY), GREY),
    **turned("grey deflate", grey(GREY, **PACKED), GREY),
    **turned("grey lzw", by_pillow(Image.fromarray(GREY), compression="tiff_lzw"), GREY),
    **turned("grey motorola", grey(GREY, **MOTOROLA), GREY),
    **turned("deep raw", grey(DEEP), GREY),
    **turned("deep deflate", grey(DEEP, **PACKED), GREY),
    **turned("deep lzw", by_pillow(Image.fromarray(DEEP), compression="tiff_lzw"), GREY),
    **turned("deep motorola", grey(DEEP, **MOTOROLA), GREY),
    **turned("twelve bits", grey(twelve(GREY)), GREY, TWELVE),
    **turned("twelve bits deflate", grey(twelve(GREY), **PACKED), GREY, TWELVE),
    **turned("float", grey(GREY.astype(np.float32) / 255), GREY),
    **turned("white is zero", by_hand(255 - GREY, tiff.WHITE_IS_ZERO), GREY),
    **turned("deep white is zero", by_hand(65535 - DEEP, tiff.WHITE_IS_ZERO), GREY),
    **turned("colour raw", by_hand(COLOUR, tiff.RGB), COLOUR),
    **turned("colour deflate", by_hand(COLOUR, tiff.RGB, **PACKED), COLOUR),
    **turned("deep colour raw", by_hand(DEEP_COLOUR, tiff.RGB), COLOUR),
    **turned("deep colour deflate", by_hand(DEEP_COLOUR, tiff.RGB, **PACKED), COLOUR),
    **turned("twelve bits of colour", by_hand(twelve(COLOUR), tiff.RGB), COLOUR, TWELVE),
    **turned(
        "twelve bits of colour motorola",
        by_hand(twelve(COLOUR), tiff.RGB, **MOTOROLA), COLOUR, TWELVE,
    ),
    **turned("png", by_pillow(Image.fromarray(COLOUR)), COLOUR, suffix=".png"),
    **turned("deep png", by_pillow(Image.fromarray(DEEP)), GREY, suffix=".png"),
    **turned(
        "jpeg", by_pillow(Image.fromarray(GREY), quality=100), GREY, suffix=".jpg", tolerance=2
    ),
    **turned("webp", by_pillow(Image.fromarray(COLOUR), lossless=True), COLOUR, suffix=".webp"),
    "deep white is zero deflate": Kind(
        by_hand(65535 - DEEP, tiff.WHITE_IS_ZERO, **PACKED), GREY
    ),
    "deep white is zero with a range": Kind(
        by_hand(65535 - twelve(GREY), tiff.WHITE_IS_ZERO), GREY, TWELVE
    ),
    "twelve bits of colour deflate": Kind(
        by_hand(twelve(COLOUR), tiff.RGB, **PACKED), COLOUR, TWELVE
    ),
    "twelve bits of colour lzw": Kind(by_opencv(twelve(BGR), *LZW), COLOUR, TWELVE),
    "deep colour of another writer": Kind(by_opencv(twelve(BGR), *NONE), COLOUR, TWELVE),
    "twelve bits of colour png": Kind(by_opencv(twelve(BGR)), COLOUR, TWELVE, ".png"),
    "deep colour png": Kind(by_opencv(BGR.astype(np.uint16) * 257), COLOUR, suffix=".png"),
    "twelve bits png": Kind(by_opencv(twelve(GREY)), GREY, TWELVE, ".png"),
    "twelve bits of colour and transparency": Kind(
        by_opencv(np.dstack([twelve(BGR), ALPHA.astype(np.uint16) * 257])),
        np.rint(COLOUR * SHARE).astype(np.uint8), TWELVE, ".png",
    ),
    "sixteen bits with a sign": Kind(grey((DEEP // 2).astype(np.int16)), GREY),
    "integers": Kind(grey(GREY.astype(np.int32) * (2**31 // 256)), GREY),
    "integers without a sign": Kind(grey(GREY.astype(np.uint32) * (2**32 // 256)), GREY),
    "transparency": Kind(
        by_hand(np.dstack([COLOUR, ALPHA]), tiff.RGB, extra=[2]),
        np.rint(COLOUR * SHARE).astype(np.uint8),
    ),
    "transparency multiplied in": Kind(
        by_hand(np.dstack([np.rint(COLOUR * SHARE).astype(np.uint8), ALPHA]), tiff.RGB, extra=[1]),
        np.rint(COLOUR * SHARE).astype(np.uint8),
    ),
    "grey and transparency": Kind(
        by_hand(np.dstack([GREY, ALPHA]), tiff.BLACK_IS_ZERO, extra=[2]),
        np.rint(GREY * SHARE).astype(np.uint8),
    ),
    "transparent png": Kind(
        by_pillow(Image.fromarray(np.dstack([COLOUR, ALPHA]))),
        np.rint(COLOUR * SHARE).astype(np.uint8), suffix=".png",
    ),
    "palette": Kind(
        by_hand(255 - GREY, tiff.PALETTE, palette=np.arange(255, -1, -1)[:, None] * [1, 1, 1]), GREY
    ),
    "planes": Kind(by_hand(COLOUR, tiff.RGB, planar=2), COLOUR),
    "cmyk": Kind(
        by_hand(np.dstack([255 - COLOUR, np.zeros_like(GREY)]), tiff.CMYK), COLOUR
    ),
    "one bit": Kind(
        by_pillow(Image.fromarray(GREY > 99)), np.where(GREY > 99, 255, 0).astype(np.uint8)
    ),
    **turned("exif behind the pixels", exif_behind_the_pixels, COLOUR, suffix=".png"),
    "bmp of 16 bits": Kind(bmp_of_16_bits, COLOUR, TWELVE, suffix=".bmp", tolerance=8),
    "bmp": Kind(by_pillow(Image.fromarray(COLOUR)), COLOUR, suffix=".bmp"),
    "second page": Kind(
        lambda path, turn: path.write_bytes(
            tiff.tiff(tiff.page(GREY // 2, 1), tiff.page(GREY, 1, orientation=6))
        ),
        ORIENTED[6](GREY), ImageSpec(WIDE, page=1),
    ),
    "second page of deep colours": Kind(
        lambda path, turn: path.write_bytes(
            tiff.tiff(tiff.page(twelve(BGR), 2), tiff.page(twelve(COLOUR), 2))
        ),
        COLOUR, ImageSpec(WIDE, page=1, value_range=(0, 4095)),
    ),
    "a thumbnail is no page": Kind(
        lambda path, turn: path.write_bytes(
            tiff.tiff(tiff.page(GREY[::2, ::2], 1, subfile=1), tiff.page(GREY, 1))
        ),
        GREY,
    ),
}  # fmt: skip


def two_pages(path):
    path.write_bytes(tiff.tiff(tiff.page(GREY, 1), tiff.page(GREY, 1)))


def moving(path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def written(values, photometric, **options):
    return lambda path: tiff.write(path, values, photometric, **options)


def huge(path):
    Image.new("1", (13378, 13378)).save(path)


FOUR = np.dstack([COLOUR, GREY])
REFUSED = {
    "two pages.tif": (two_pages, "2 pages: name one with data.image.page"),
    "moving.png": (moving, "2 pages"),
    "moving.webp": (moving, "2 pages"),
    "fourth channel.tif": (written(FOUR, tiff.RGB, extra=[0]), "4 channels, and not all"),
    "unnamed fourth channel.tif": (written(FOUR, tiff.RGB), "4 channels, and not all"),
    "deep fourth channel.tif": (
        written(FOUR.astype(np.uint16) * 257, tiff.RGB, extra=[0]), "4 channels, and not all",
    ),
    "fifth channel.tif": (
        written(np.dstack([FOUR, GREY]), tiff.RGB, extra=[2, 0]), "5 channels, and not all",
    ),
    "second grey.tif": (
        written(np.dstack([GREY, GREY]), tiff.BLACK_IS_ZERO, extra=[0]), "2 channels, and not all",
    ),
    "sign.tif": (written(GREY.astype(np.int8), tiff.BLACK_IS_ZERO), "8-bit values with a sign"),
    "planes.tif": (written(DEEP_COLOUR, tiff.RGB, planar=2), "in separate planes"),
    "float.tif": (written(GREY.astype(np.float32), tiff.BLACK_IS_ZERO), r"outside 0\.\.1"),
    "white float.tif": (
        written(GREY.astype(np.float32) / 255, tiff.WHITE_IS_ZERO), "white as 0",
    ),
    "motorola.tif": (
        written(DEEP, tiff.WHITE_IS_ZERO, order=">"), "a kind of TIFF that cannot be read",
    ),
    "huge.png": (huge, "too many pixels: at most 178 megapixels"),
}  # fmt: skip


@pytest.fixture(scope="module")
def predict_py(tmp_path_factory):
    return load_predict_py(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def readers(predict_py):
    """Return everybody who reads an image into the network's square."""
    return {
        "load": load,
        "decode": lambda path, spec: decode(path.read_bytes(), spec, path),
        "predict.py": lambda path, spec: predict_py.load(path, predict_py.spec_of(spec.to_dict())),
    }


def square(seen):
    """Return what must be seen at the network's size."""
    size = (WIDE, WIDE)
    return np.asarray(Image.fromarray(seen).resize(size, Image.Resampling.BILINEAR).convert("RGB"))


def farthest(found, expected):
    assert found.shape == expected.shape
    return np.abs(np.asarray(found).astype(int) - expected).max()


@pytest.mark.parametrize("name", KINDS)
def test_everybody_reads_alike(tmp_path, readers, name):
    kind = KINDS[name]
    path = tmp_path / f"a{kind.suffix}"
    kind.write(path, kind.orientation)
    for reader, read in readers.items():
        assert farthest(read(path, kind.spec), square(kind.seen)) <= kind.tolerance, reader
    upright = np.asarray(Image.fromarray(kind.seen).convert("RGB"))
    shown = np.asarray(picture(path, 100, kind.spec))
    assert farthest(shown, upright) <= kind.tolerance
    assert upright_size(path, kind.spec) == upright.shape[1::-1]


@pytest.mark.parametrize("name", [name for name in KINDS if "turned" not in name])
def test_the_page_and_the_watched_line_show_what_is_read(tmp_path, name):
    kind = KINDS[name]
    path = tmp_path / f"a{kind.suffix}"
    kind.write(path, kind.orientation)
    served = ServedImages({"a": path}, b"secret", tmp_path / "cache", kind.spec).jpeg("a", "full")
    upright = np.asarray(Image.fromarray(kind.seen).convert("RGB"))
    # JPEG: smooth pictures come back within some levels, and colours have half of the pixels.
    assert np.abs(np.asarray(Image.open(io.BytesIO(served))).astype(int) - upright).mean() < 8
    card = watch._picture(
        SimpleNamespace(to=tmp_path, spec=kind.spec),
        SimpleNamespace(name="a", folder="pass", class_="ok", file=path.name),
    )
    assert card["address"]
    large = Image.fromarray(kind.seen).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    whole = load(path, ImageSpec(**kind.spec.to_dict() | {"size": SIDE}))
    assert farthest(whole, np.asarray(large.convert("RGB"))) <= kind.tolerance


READS_A_LARGE_IMAGE = """
import sys
from pathlib import Path
from PIL import Image
Image.MAX_IMAGE_PIXELS = 24 * 16 - 1
sys.path.insert(0, sys.argv[2])
if sys.argv[3] == "alvision":
    from alvision.data.image_spec import ImageSpec
    from alvision.data.images import load
    load(Path(sys.argv[1]), ImageSpec(8))
else:
    import predict
    spec = dict(size=8, crop=None, value_range=None, reduced=False, page=None, rules=2)
    predict.load(Path(sys.argv[1]), predict.spec_of(spec))
"""


@pytest.mark.parametrize("reader", ["alvision", "predict.py"])
def test_a_large_image_that_is_read_is_no_attack(tmp_path, reader):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "predict.py").write_text(script(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", READS_A_LARGE_IMAGE, tmp_path / "a.png", tmp_path, reader],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize("name", REFUSED)
def test_everybody_refuses_alike(tmp_path, readers, predict_py, name):
    write, reason = REFUSED[name]
    path = tmp_path / name
    write(path)
    said = set()
    for read in (*readers.values(), lambda path, spec: picture(path, 100, spec)):
        with pytest.raises((UnreadableImage, predict_py.UnreadableImage), match=reason) as caught:
            read(path, SPEC)
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_model_goes_on_reading_as_it_was_trained(tmp_path):
    path = tmp_path / "a.tif"
    old = ImageSpec.from_dict(
        {"size": WIDE, "crop": None, "value_range": (0, 4095), "reduced": False}
    )
    assert old.rules == 1
    tiff.write(path, 4095 - twelve(GREY), tiff.WHITE_IS_ZERO)
    assert farthest(load(path, old), square(255 - GREY)) <= 1
    tiff.write(path, DEEP_COLOUR, tiff.RGB)
    assert farthest(load(path, old), square(COLOUR)) <= 1
    tiff.write(path, FOUR, tiff.RGB, extra=[0])
    assert farthest(load(path, old), square(COLOUR)) <= 1
    path.write_bytes(tiff.tiff(tiff.page(GREY, 1), tiff.page(255 - GREY, 1)))
    assert farthest(load(path, old), square(GREY)) <= 1
