import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alvision.core.errors import UserError
from alvision.data.decoding import decode
from alvision.data.framing import FILL, framed, inside_roi, placed, squared
from alvision.data.image_spec import FITS, ImageSpec
from alvision.data.images import ORIENTATION, load
from tests.support.predict_py import load_predict_py

STRIP = (512, 32)
RAMP = np.tile(np.arange(0, 240, 3, dtype=np.uint8), (20, 1))  # 80 x 20, brighter to the right
TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("spec", "source", "target"),
    [
        (ImageSpec(64), (0, 0, 512, 32), (0, 0, 64, 64)),
        (ImageSpec(64, fit="letterbox"), (0, 0, 512, 32), (0, 30, 64, 34)),
        (ImageSpec(64, fit="crop"), (240, 0, 272, 32), (0, 0, 64, 64)),
        (ImageSpec((32, 512), fit="letterbox"), (0, 0, 512, 32), (0, 0, 512, 32)),
        (ImageSpec((32, 512), fit="crop"), (0, 0, 512, 32), (0, 0, 512, 32)),
        (ImageSpec((9, 36), fit="crop", crop=(0.5, 0, 1, 1)), (320, 0, 448, 32), (0, 0, 36, 9)),
        (
            ImageSpec((16, 64), fit="letterbox", roi=[0, 0, 0.25, 1]),
            (0, 0, 128, 32),
            (0, 0, 64, 16),
        ),
    ],
)
def test_where_a_strip_lies(spec, source, target):
    assert placed(STRIP, spec) == (source, target)


sides = st.integers(1, 400)


@given(
    sides, sides, sides, sides, st.sampled_from(FITS), st.sampled_from([None, (0.2, 0.1, 0.9, 1)])
)
def test_every_box_holds_a_pixel_and_stays_inside(width, height, rows, columns, fit, crop):
    spec = ImageSpec((rows, columns), crop=crop, fit=fit)
    (x0, y0, x1, y1), (left, top, right, bottom) = placed((width, height), spec)
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert 0 <= left < right <= columns and 0 <= top < bottom <= rows
    if fit == "squash":
        return
    # The proportions are kept to the pixel that either side is rounded by.
    wide, high = (right - left) / (x1 - x0), (bottom - top) / (y1 - y0)
    assert abs(wide - high) <= max(1 / (x1 - x0), 1 / (y1 - y0)) * max(1.5, 1.5 * wide, 1.5 * high)


def test_letterbox_shows_all_between_bars_of_grey_and_crop_the_middle(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    whole = load(tmp_path / "a.png", ImageSpec(80, fit="letterbox"))
    assert (whole[:30] == FILL).all() and (whole[50:] == FILL).all()
    assert (whole[30:50, :, 0] == RAMP).all()
    middle = load(tmp_path / "a.png", ImageSpec(20, fit="crop"))
    assert (middle[..., 0] == RAMP[:, 30:50]).all()
    both = [load(tmp_path / "a.png", ImageSpec((20, 80), fit=fit)) for fit in FITS]
    assert all((one[..., 0] == RAMP).all() for one in both)


def test_a_roi_is_cut_to_its_box_and_grey_outside(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    seen = load(tmp_path / "a.png", ImageSpec((20, 80), roi=TRIANGLE))[..., 0]
    assert seen[0, 70] == RAMP[0, 70] and seen[15, 5] == RAMP[15, 5]
    assert seen[18, 70] == FILL
    half = load(tmp_path / "a.png", ImageSpec((20, 40), roi=[[0.5, 0], [1, 0], [1, 1]]))[..., 0]
    assert half[1, 38] == RAMP[1, 78] and half[18, 2] == FILL


def test_a_box_is_the_same_as_a_crop(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    box = (0.13, 0.2, 0.77, 0.9)
    for spec in (ImageSpec(24), ImageSpec((8, 30), fit="letterbox")):
        by_roi, by_crop = (
            load(tmp_path / "a.png", ImageSpec(spec.size, fit=spec.fit, **{key: box}))
            for key in ("roi", "crop")
        )
        assert (by_roi == by_crop).all()


def test_roi_is_of_the_upright_photograph(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, 60:] = 200  # the right end of what is stored is the lower end of what is seen
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert (load(tmp_path / "a.png", ImageSpec(8, roi=[0, 0.75, 1, 1])) == 200).all()
    assert (load(tmp_path / "a.png", ImageSpec(8, roi=[0, 0, 1, 0.75])) == 0).all()


@pytest.fixture(scope="module")
def predict_py(tmp_path_factory):
    return load_predict_py(tmp_path_factory.mktemp("bundle"))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from(FITS),
    st.sampled_from([None, TRIANGLE, (0.1, 0.3, 0.8, 0.9), ((0.5, 0.1), (0.9, 0.5), (0.2, 0.8))]),
    st.sampled_from(["JPEG", "PNG"]),
    st.booleans(),
    st.sampled_from([1, 6]),
)
def test_everybody_frames_alike(predict_py, tmp_path_factory, size, fit, roi, kind, reduced, turn):
    path = tmp_path_factory.mktemp("a") / f"a.{kind.lower()}"
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    small = Image.fromarray(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8))
    small.resize((320, 180)).save(path, kind, exif=exif)
    spec = ImageSpec(size, fit=fit, roi=roi, reduced=reduced)
    slow = load(path, spec)
    assert slow.shape == (*size, 3)
    fast = decode(path.read_bytes(), spec, path)
    alone = predict_py.load(path, predict_py.spec_of(spec.to_dict()))
    assert np.abs(fast.astype(int) - slow).max() <= 1
    assert (alone == slow).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_jpeg_is_reduced_no_further_than_the_frame_needs(tmp_path, fit):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (15, 60, 3), dtype=np.uint8))
    picture.resize((1600, 400), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    whole, reduced = (
        load(tmp_path / "a.jpg", ImageSpec((100, 100), fit=fit, reduced=flag)).astype(int)
        for flag in (False, True)
    )
    assert 0 < np.abs(whole - reduced).mean() < 2


def test_a_picture_in_its_frame():
    part = np.full((2, 4, 3), 9, np.uint8)
    assert framed(part, (0, 0, 4, 2), (2, 4)) is part
    square = squared(part)
    assert square.shape == (4, 4, 3) and (square[[0, 3]] == FILL).all() and (square[1:3] == 9).all()
    inside = np.asarray(inside_roi((10, 10), (0, 0, 10, 10), TRIANGLE))
    assert inside[0, 0] == 255 and inside[9, 9] == 0


def test_equal_meanings_are_equal_specs():
    assert ImageSpec((64, 64)) == ImageSpec(64) == ImageSpec([64, 64])
    assert ImageSpec(64).to_dict()["rules"] == 2 and "fit" not in ImageSpec(64).to_dict()
    for spec in (
        ImageSpec((32, 64)),
        ImageSpec(64, fit="crop"),
        ImageSpec(64, roi=TRIANGLE, value_range=(0, 4095)),
    ):
        values = spec.to_dict()
        assert values["rules"] == 3 and ImageSpec.from_dict(values) == spec and hash(spec)
    assert ImageSpec((32, 512)).sides == "32 x 512" and ImageSpec(64).sides == "64"
    assert ImageSpec((32, 512)).scaled(128) == ImageSpec((8, 128))


def test_a_spec_that_contradicts_itself_is_refused():
    with pytest.raises(UserError, match=r"remove data\.image\.crop"):
        ImageSpec(64, crop=(0, 0, 1, 1), roi=TRIANGLE)
