import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.data.images import ImageSpec
from alvision.data.tile_sizes import bytes_of, first_count, largest, mixed, tiles_of

SPEC = ImageSpec(32, tiles="auto")


@pytest.fixture
def photographs(tmp_path):
    """Return a function that writes black photographs of these sizes."""

    def write(*sizes):
        paths = []
        for number, size in enumerate(sizes):
            paths.append(tmp_path / f"{number}.png")
            Image.new("L", size).save(paths[-1])
        return paths

    return write


def test_photographs_of_one_size_need_no_word(photographs):
    assert mixed(photographs((100, 70), (100, 70)), SPEC) is None


def test_photographs_of_mixed_sizes_are_told_in_a_line(photographs):
    line = mixed(photographs((100, 70), (40, 40)), SPEC)
    assert line == (
        "the photographs are of 40 x 40 to 100 x 70 pixels, so each becomes 4 to 12 tiles of its "
        "own"
    )


def test_those_smaller_than_a_tile_are_told(photographs):
    assert mixed(photographs((100, 70), (20, 40)), SPEC).endswith(
        ", and those smaller than a tile are set aside"
    )


def test_a_tile_larger_than_all_photographs_is_refused_in_a_line(photographs):
    with pytest.raises(UserError, match=r"a tile of 32 x 32 pixels is larger than the photographs"):
        mixed(photographs((20, 40), (31, 31)), SPEC)
    part = ImageSpec(32, crop=(0, 0, 1, 0.5), tiles="auto")
    with pytest.raises(UserError, match=r"than what is used of the photographs \(40 x 20\)"):
        mixed(photographs((40, 40)), part)


def test_what_cannot_be_read_is_passed_over(photographs, tmp_path):
    paths = photographs((100, 70))
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert mixed([tmp_path / "broken.png", *paths], SPEC) is None
    assert first_count([tmp_path / "broken.png", *paths], SPEC) == 12
    assert largest([tmp_path / "broken.png"], SPEC) is None


def test_the_bytes_are_those_of_the_pixels_and_the_tiles(photographs):
    assert tiles_of((100, 70), SPEC) == 12 and tiles_of((20, 70), SPEC) is None
    assert bytes_of((100, 70), SPEC) == 10 * 7000 + 12 * 3 * 32 * 32
    assert largest(photographs((100, 70), (200, 70)), SPEC) == (200, 70)


TAKEN = """
import sys
from pathlib import Path
from alvision.data.decoding import decode
from alvision.data.image_spec import ImageSpec

def kilobytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))

small, path = map(Path, sys.argv[1:3])
spec = ImageSpec(224, tiles=1, roi=[[0, 0], [1, 0.1], [0.5, 1]])
decode(small.read_bytes(), spec, small)
before, content = kilobytes("VmRSS"), path.read_bytes()
decode(content, spec, path)
print(1000 * (kilobytes("VmHWM") - before) - len(content))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux says what was taken")
@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "jpg"), ("RGB", "png"), ("L", "png")])
def test_a_photograph_takes_no_more_than_is_told(mode, suffix, tmp_path):
    small, path = tmp_path / f"small.{suffix}", tmp_path / f"large.{suffix}"
    Image.new(mode, (300, 300)).save(small)
    Image.new(mode, (6000, 4000)).save(path)
    words = [sys.executable, "-c", TAKEN, str(small), str(path)]
    taken = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    told = bytes_of((6000, 4000), ImageSpec(224, tiles=1))
    assert 0.3 * told < taken < 1.2 * told
