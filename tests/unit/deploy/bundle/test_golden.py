import numpy as np
import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import Output
from alvision.deploy.bundle.golden import GOLDEN, try_out, write_golden
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")

LEVEL = 102  # a grey of 0.4


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (8, 8), (LEVEL,) * 3).save(tmp_path / "1.png")
    return tmp_path / "1.png"


def bundle(picture, logits, cut=0.5, **changes):
    folder = picture.with_name("b")
    return grey.write(folder, cut, "run", golden=[(picture, logits)], **changes)


def test_a_bundle_that_computes_what_it_was_exported_with(picture):
    try_out(bundle(picture, [0.0, grey.STEEPNESS * -0.1]))


def test_one_that_computes_something_else_is_refused(picture):
    with pytest.raises(UserError, match=r"golden/1.png is off by 1\b"):
        try_out(bundle(picture, [0.0, grey.STEEPNESS * -0.1 + 1]))


def test_a_network_without_numbers_is_refused_with_and_without_golden_images(picture, tmp_path):
    with pytest.raises(UserError, match=r"NaN or infinity for golden/1.png"):
        try_out(bundle(picture, [0.0, 0.0], float("nan")))
    with pytest.raises(UserError, match="NaN or infinity for a black image"):
        try_out(grey.write(tmp_path / "c", float("nan"), "run"))


def test_a_network_of_other_classes_is_refused(picture):
    found = bundle(picture, [0.0, 0.0], classes=("ok", "worn", "torn"), defects=("worn",))
    grey.network(found.folder / "model.onnx", [0.0, 0.5])
    found.__dict__["read"] = lambda name: (found.folder / name).read_bytes()
    with pytest.raises(UserError, match="2 outputs for 3 classes"):
        try_out(found)


def test_a_golden_image_that_is_none_is_refused(picture):
    picture.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"golden/1.png cannot be read here: not an image"):
        try_out(bundle(picture, [0.0, 0.0]))


def test_they_come_from_all_over_the_range_of_scores(tmp_path):
    (tmp_path / "b").mkdir()
    paths = [tmp_path / f"{i:02d}.png" for i in range(40)]
    for path in paths:
        path.write_text(path.name)
    logits = np.stack([np.zeros(40), np.arange(40)[::-1]], 1)
    written = write_golden(tmp_path / "b", paths, logits)
    assert [one.logits[1] for one in written][:: GOLDEN - 1] == [0, 39]
    assert (tmp_path / "b" / written[0].file).read_text() == "39.png"


def test_nothing_is_finite_where_one_number_is_not():
    maps = np.zeros((3, 1, 1, 1))
    output = Output(np.array([[0.0], [np.nan], [0.0]]), np.array([[1.0], [1.0], [np.inf]]), maps)
    assert output.finite.tolist() == [True, False, False]
