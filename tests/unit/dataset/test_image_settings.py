"""How images are read is settled when a run starts, and is the same for everybody."""

import cv2
import numpy as np
import pytest

from alvision.cli import main
from alvision.cli.label import page_context
from alvision.config.compose import compose, configuration
from alvision.core.errors import UserError
from alvision.core.rounds import claim
from alvision.data.image_spec import ImageSpec
from alvision.dataset.dataset import DataSet
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.load import load_run

AUTO = "data.image.value_range=auto"


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Return the words for photographs of a camera of 12 bits, in files of 16."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "cache"))
    dice = np.random.default_rng(0)
    for number in range(24):
        values = dice.integers(0, 4096, (16, 16)).astype(np.uint16)
        write(tmp_path / "photos" / ("ok" if number % 2 else "worn") / f"{number:02d}.png", values)
    return ["data.root=photos", "out=run"]


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values)


def begin(words):
    composed = compose(words)
    data = DataSet.open(composed.config)
    described = describe_run(
        data.config, composed.choices, "", classes=data.classes, anonymous=False
    )
    claim(data.manifest.root.parent / "run", described)
    return data


def test_auto_becomes_numbers_that_stay(words, tmp_path):
    assert begin([*words, AUTO]).spec.value_range == (0, 4095)
    # Later photographs are brighter; every model of the run reads as the first one did.
    for path in (tmp_path / "photos" / "ok").iterdir():
        write(path, np.full((16, 16), 60_000, np.uint16))
    again = DataSet.open(compose([*words, AUTO]).config)
    assert again.spec.value_range == (0, 4095)
    assert load_run(tmp_path / "run")[2] == again.spec
    assert DataSet.open(compose(["data.root=photos", "out=other", AUTO]).config).spec == ImageSpec(
        again.spec.size, value_range=(0, 65535)
    )


def test_no_size_is_the_one_that_the_network_was_made_for(words, tmp_path):
    null = "data.image.size=null"
    dinov2 = "model.backbone=vit_small_patch14_dinov2.lvd142m"
    assert begin([*words, null, dinov2]).spec.size == 518
    # What the run began with stays, whatever a later version of the library says.
    assert DataSet.open(compose([*words, null, "model.backbone=resnet18"]).config).spec.size == 518
    assert load_run(tmp_path / "run")[2].size == 518
    other = ["data.root=photos", "out=other", null]
    assert DataSet.open(compose(other).config).spec.size == 224
    with pytest.raises(UserError, match=r"set data\.image\.size for one of your own"):
        DataSet.open(compose([*other, "model.backbone={_target_: my_net.make}"]).config)


def test_a_size_that_a_hub_does_not_tell_is_one_line(words, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    words = [*words, "data.image.size=null"]
    with pytest.raises(UserError, match="the size of hf_hub:plant/gone could not be had") as caught:
        DataSet.open(compose([*words, "model.backbone=hf_hub:plant/gone"]).config)
    assert "data.image.size to a number" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"local-dir:gone: gone.config\.json"):
        DataSet.open(compose([*words, "model.backbone=local-dir:gone"]).config)


def test_the_page_shows_what_the_network_reads(words):
    people = ["oracle=page", "data.root=photos", "classes=[ok,worn]", AUTO]
    data = DataSet.open(configuration(people))
    with data.label_store() as store:
        assert page_context(data, store).spec == data.spec
    assert data.spec.value_range == (0, 4095)


def test_dark_images_are_told_at_the_start_and_by_check(words, capsys):
    data = DataSet.open(compose(words).config)
    assert any("set data.image.value_range=auto (here: [0,4095])" in one for one in data.notices)
    assert DataSet.open(compose([*words, AUTO]).config).image_notices == ()
    main(["check", *words])
    assert "read nearly black" in capsys.readouterr().out
    main(["check", *words, AUTO])
    said = capsys.readouterr().out
    assert "data.image.value_range=auto is [0.0, 4095.0]" in said and "nearly black" not in said


def test_another_word_than_auto_is_refused(words):
    with pytest.raises(UserError, match="value_range=full must be a list of 2 numbers, or auto"):
        DataSet.open(compose([*words, "data.image.value_range=full"]).config)
    with pytest.raises(UserError, match=r"data\.image\.page=-1 must be at least 0"):
        DataSet.open(compose([*words, "data.image.page=-1"]).config)


@pytest.mark.parametrize("size", ["[[32],64]", "[32]", "[]", "[32,0]", "0", "32.5", "[{},{a:1}]"])
def test_a_size_that_is_none_is_one_line(size, words):
    with pytest.raises(UserError, match=r"data\.image\.size=.* must be a whole number of pixels"):
        DataSet.open(compose([*words, f"data.image.size={size}"]).config)


def test_files_that_are_set_aside_are_told_all_at_once(words, tmp_path, capsys):
    try:
        for name in ("gr\udcfcn.png", "wei\udcdf.png"):
            (tmp_path / "photos" / "ok" / name).write_bytes(b"")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    data = DataSet.open(compose(words).config)
    line = next(one for one in data.image_notices if "set aside" in one)
    assert line.startswith("2 files are set aside: ok/gr\\udcfcn.png (the name is not UTF-8")
    main(["check", *words])
    said = capsys.readouterr().out
    assert "2 files cannot be read" in said
