import cv2
import numpy as np
import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.data.depth import Depth, automatic, dark, measure
from alvision.data.image_spec import ImageSpec
from tests.support import tiff

SPEC = ImageSpec(8)


def deep(folder, *highest, colour=False):
    """Write 16-bit images whose brightest values these are."""
    paths = []
    for number, high in enumerate(highest):
        values = np.linspace(0, high, 64).astype(np.uint16).reshape(8, 8)
        paths.append(folder / f"{number}.png")
        cv2.imwrite(str(paths[-1]), np.dstack([values] * 3) if colour else values)
    return paths


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    ("highest", "white"),
    [((900, 4013), 4095), ((200,), 255), ((256,), 1023), ((16383,), 16383), ((16384,), 65535)],
)
def test_auto_is_the_depth_that_the_brightest_value_needs(tmp_path, colour, highest, white):
    assert automatic(measure(deep(tmp_path, *highest, colour=colour), SPEC)) == (0, white)


def test_eight_bits_have_no_depth_and_broken_files_are_passed_over(tmp_path):
    Image.new("RGB", (8, 8), "white").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    assert measure([tmp_path / "a.png", tmp_path / "b.png"], SPEC) is None
    assert automatic(None) is None and dark(None, SPEC) is None


def test_only_some_of_many_images_are_decoded_the_last_ones_too(tmp_path):
    paths = deep(tmp_path, *range(100, 180))
    found = measure(paths, SPEC, most=8)
    assert found is not None and found.low + 100 >= 100 and 170 <= found.high < 180


def test_dark_images_are_told_with_what_to_do(tmp_path):
    found = measure(deep(tmp_path, 4013), SPEC)
    line = dark(found, SPEC)
    assert line is not None
    assert "values up to 4013 of 65535" in line
    assert line.endswith("set data.image.value_range=auto (here: [0,4095])")
    assert dark(found, ImageSpec(8, value_range=(0, 4095))) is None
    assert dark(measure(deep(tmp_path, 30000), SPEC), SPEC) is None


def test_floats_and_negative_numbers_have_no_depth(tmp_path):
    path = tmp_path / "a.tif"
    tiff.write(path, np.linspace(-3, 880, 64, dtype=np.float32).reshape(8, 8), tiff.BLACK_IS_ZERO)
    with pytest.raises(UserError, match=r"-3 to 880: .*value_range=\[-3,880\]"):
        automatic(measure([path], SPEC))
    assert automatic(Depth(0, 1, 1, True)) is None
