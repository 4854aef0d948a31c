import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alvision.config.schema import ImageConfig
from alvision.core.errors import UserError
from alvision.data import framing, images
from alvision.data.image_spec import PLAIN_RULES, RULES
from alvision.data.images import ImageSpec, UnreadableImage, load, shrink_factor
from tests.conftest import paint
from tests.support.parts import imported

ORIENTED = {  # EXIF orientation -> what a viewer does to the stored pixels to see them upright
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def loaded(image: Image.Image, path, *, size=4, crop=None, value_range=None, **save):
    image.save(path, **save)
    pixels = load(path, ImageSpec(size, crop, value_range))
    assert pixels.shape == (size, size, 3) and pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels


def grey(values, path, **settings):
    """Load a one-channel array and return the grey it becomes."""
    pixels = loaded(Image.fromarray(values), path, size=len(values), **settings)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def test_colour_and_grey_pass_unchanged(tmp_path):
    colour = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    np.testing.assert_array_equal(loaded(Image.fromarray(colour), tmp_path / "c.png"), colour)
    np.testing.assert_array_equal(grey(colour[..., 0].copy(), tmp_path / "g.png"), colour[..., 0])


def test_resize_is_antialiased_bilinear(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    fine = loaded(Image.fromarray(stripes), tmp_path / "stripes.png", size=8)
    assert abs(fine.astype(int) - 127).max() <= 6
    photo = paint(3, "worn", 48)
    expected = np.asarray(photo.resize((20, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(loaded(photo, tmp_path / "p.png", size=20), expected)


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_exif_orientation_is_applied(tmp_path, orientation, dtype):
    factor = 257 if dtype == np.uint16 else 1
    values = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    found = grey((values.astype(dtype) * factor).astype(dtype), tmp_path / "o.png", exif=exif)
    np.testing.assert_array_equal(found, ORIENTED[orientation](values))


def test_sixteen_bits_keep_their_range(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    sixteen = levels.astype(np.uint16) * 257
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(grey(sixteen, tmp_path / name), levels)


def test_value_range_maps_black_to_white_and_clips(tmp_path):
    values = np.array([[900, 1000], [1200, 5000]], np.uint16)
    found = grey(values, tmp_path / "a.png", value_range=(1000, 1400))
    np.testing.assert_array_equal(found, [[0, 0], [128, 255]])


def test_value_range_leaves_eight_bits_alone(tmp_path):
    values = np.array([[0, 100], [200, 255]], np.uint8)
    np.testing.assert_array_equal(grey(values, tmp_path / "a.png", value_range=(100, 200)), values)


def test_thirty_two_bit_integers(tmp_path):
    values = np.array([[-5, 0], [2**30, 2**31 - 1]], np.int32)
    np.testing.assert_array_equal(grey(values, tmp_path / "a.tif"), [[0, 0], [128, 255]])
    found = grey(values, tmp_path / "a.tif", value_range=(-5, 0))
    np.testing.assert_array_equal(found, [[0, 255], [255, 255]])


def test_floats(tmp_path):
    values = np.array([[0, 0.5], [1, np.nan]], np.float32)
    np.testing.assert_array_equal(grey(values, tmp_path / "a.tif"), [[0, 128], [255, 0]])
    wide = np.array([[-10, 0], [np.inf, -np.inf]], np.float32)
    with pytest.raises(UnreadableImage, match=r"outside 0\.\.1: set data\.image\.value_range"):
        grey(wide, tmp_path / "b.tif")
    found = grey(wide, tmp_path / "b.tif", value_range=(-10, 10))
    np.testing.assert_array_equal(found, [[0, 128], [255, 0]])


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("1", (8, 8), 1), (255, 255, 255)),
        (Image.new("L", (8, 8), 7), (7, 7, 7)),
        (Image.new("RGBA", (8, 8), (200, 100, 50, 255)), (200, 100, 50)),
        (Image.new("RGBA", (8, 8), (200, 100, 50, 0)), (0, 0, 0)),
        (Image.new("RGBA", (8, 8), (200, 100, 50, 51)), (40, 20, 10)),
        (Image.new("LA", (8, 8), (100, 0)), (0, 0, 0)),
        (Image.new("RGB", (8, 8), (51, 102, 153)).convert("P"), (51, 102, 153)),
        (Image.new("CMYK", (8, 8), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("YCbCr", (8, 8), (120, 128, 128)), (120, 120, 120)),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_every_mode_becomes_rgb(tmp_path, image, colour):
    suffix = "tif" if image.mode in ("CMYK", "YCbCr") else "png"
    pixels = loaded(image, tmp_path / f"a.{suffix}")
    assert (pixels == colour).all()


def test_transparent_palette_lies_on_black(tmp_path):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 250, 240, 230])
    assert (loaded(image, tmp_path / "a.png") == (250, 240, 230)).all()
    assert (loaded(image, tmp_path / "b.png", transparency=1) == 0).all()


def test_crop_is_of_the_upright_image(tmp_path):
    values = np.zeros((8, 8), np.uint8)
    values[:, 4:] = 200
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6  # the right half of the stored pixels is seen at the bottom
    crop = (0, 0.5, 1, 1)
    pixels = loaded(Image.fromarray(values), tmp_path / "a.png", size=2, crop=crop, exif=exif)
    assert (pixels == 200).all()


@given(st.integers(1, 50), st.integers(1, 50), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_crop_boxes_hold_a_pixel_and_stay_inside(width, height, edges):
    (left, right), (top, bottom) = sorted(edges[:2]), sorted(edges[2:])
    if left < right and top < bottom:
        x0, y0, x1, y1 = framing.crop_box((width, height), (left, top, right, bottom))
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_a_page_of_several_is_named(tmp_path, name):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    path = tmp_path / name
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    for page, value in ((0, 10), (1, 200)):
        assert (load(path, ImageSpec(4, page=page)) == value).all()
    with pytest.raises(UnreadableImage, match=r"no page 2: data\.image\.page is from 0 to 1"):
        load(path, ImageSpec(4, page=2))


def test_heic(tmp_path):
    imported("pillow_heif")
    images.register_heic(tmp_path / "a.HEIC")
    pixels = loaded(Image.new("RGB", (64, 64), (200, 30, 30)), tmp_path / "a.HEIC", format="HEIF")
    assert abs(pixels.astype(int) - (200, 30, 30)).max() < 12


def damaged(path):
    paint(0, "ok", 64).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lying(path):
    path.write_text("this is text")


def empty(path):
    path.touch()


def absent(path):
    assert not path.exists()


def a_folder(path):
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (damaged, "a.png", "broken"),
        (damaged, "a.jpg", "broken: image file is truncated"),
        (damaged, "a.bmp", "broken"),
        (damaged, "a.tif", "broken"),
        (lying, "a.jpg", "not an image"),
        (empty, "a.png", "file is empty"),
        (absent, "a.png", "file is missing"),
        (a_folder, "a.png", "broken|permission"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, make, name, reason):
    make(tmp_path / name)
    with pytest.raises(UnreadableImage, match=reason) as caught:
        load(tmp_path / name, ImageSpec(8))
    assert caught.value.reason and "\n" not in caught.value.reason
    assert len(caught.value.reason) < 100
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason


def test_heic_without_its_extra_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "heic_is_supported", lambda: False)
    lying(tmp_path / "a.heic")
    with pytest.raises(UnreadableImage, match=r"pip install alvision\[heic\]"):
        load(tmp_path / "a.heic", ImageSpec(8))


@pytest.mark.parametrize("limit", [50, 90])
def test_decompression_bombs_are_refused(tmp_path, monkeypatch, limit):
    Image.new("L", (11, 11)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        load(tmp_path / "a.png", ImageSpec(8))


def test_shrink_factor_reads_the_header_alone(tmp_path):
    Image.new("L", (320, 80)).save(tmp_path / "a.png")
    damaged_after_header = (tmp_path / "a.png").read_bytes()[:60]
    (tmp_path / "a.png").write_bytes(damaged_after_header)
    assert shrink_factor(tmp_path / "a.png", ImageSpec(32)) == 10
    assert shrink_factor(tmp_path / "a.png", ImageSpec(32, crop=(0, 0, 0.25, 1))) == 2.5
    lying(tmp_path / "b.png")
    with pytest.raises(UnreadableImage, match="not an image"):
        shrink_factor(tmp_path / "b.png", ImageSpec(32))


def test_shrink_factor_of_a_frame_that_is_not_square(tmp_path):
    Image.new("L", (320, 80)).save(tmp_path / "a.png")
    for fit, factor in (("squash", 10), ("letterbox", 10), ("crop", 2.5)):
        assert shrink_factor(tmp_path / "a.png", ImageSpec(32, fit=fit)) == factor
    assert shrink_factor(tmp_path / "a.png", ImageSpec((16, 64))) == 5


def test_shrink_factor_of_a_sideways_image(tmp_path):
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    Image.new("L", (320, 80)).save(tmp_path / "a.jpg", exif=exif)
    assert shrink_factor(tmp_path / "a.jpg", ImageSpec(32, crop=(0, 0, 1, 0.25))) == 2.5


def test_specs_are_plain_json():
    spec = ImageSpec.from_config(ImageConfig(size=64, crop=[0, 0.1, 1, 0.9], value_range=[0, 4095]))
    assert ImageSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    plain = ImageSpec.from_config(ImageConfig())
    assert plain.to_dict() == {
        "size": 224,
        "crop": None,
        "value_range": None,
        "reduced": False,
        "page": None,
        "rules": PLAIN_RULES,
    }
    with pytest.raises(UserError, match="update alvision"):
        ImageSpec.from_dict(plain.to_dict() | {"rules": RULES + 1})
    assert ImageSpec.from_dict(plain.to_dict()) == plain and hash(plain)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size=0"),
        ({"size": 2.5}, "size=2.5"),
        ({"crop": (0, 0, 1)}, "crop=.* list of 4 numbers"),
        ({"crop": (0.5, 0, 0.5, 1)}, "left < right"),
        ({"crop": (0, 0, 1, 1.1)}, "fractions"),
        ({"crop": ("a", 0, 1, 1)}, "list of 4 numbers"),
        ({"crop": 3}, "list of 4 numbers"),
        ({"size": (32,)}, "size=.*height,width"),
        ({"size": (32, 0)}, "size="),
        ({"size": True}, "size=True"),
        ({"size": "big"}, "size=big"),
        ({"fit": "stretch"}, "fit=stretch is unknown; one of: squash, letterbox, crop"),
        ({"roi": [0, 0, 1, 1], "crop": (0, 0, 1, 1)}, "remove data.image.crop"),
        ({"value_range": (5, 5)}, "black < white"),
        ({"value_range": (0, float("nan"))}, "list of 2 numbers"),
    ],
)
def test_senseless_specs_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        ImageSpec(**{"size": 8} | values)
