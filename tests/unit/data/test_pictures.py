import numpy as np
import pytest
from PIL import Image

from alvision.data.image_spec import ImageSpec
from alvision.data.pictures import photograph, picture

SPECS = [
    None,
    ImageSpec(8, fit="letterbox"),
    ImageSpec((4, 16), crop=(0.5, 0, 1, 1)),
    ImageSpec(8, roi=((0, 0), (1, 0), (0, 1))),
    ImageSpec(16, tiles="auto"),
    ImageSpec(8, reduced=True),
]


@pytest.mark.parametrize("spec", SPECS)
def test_people_see_the_whole_photograph_however_the_network_sees_it(tmp_path, spec):
    pixels = np.tile(np.arange(0, 240, 3, dtype=np.uint8), (20, 1))
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    for shown in (picture(path, 80, spec), photograph(path, spec, path.read_bytes())):
        assert (np.asarray(shown.convert("L")) == pixels).all()
    assert picture(path, 40, spec).size == (40, 10)
