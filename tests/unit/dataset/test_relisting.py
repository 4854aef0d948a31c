"""Photographs that come, go or change after a data set was listed."""

import os

import pytest

from alvision.config.compose import configuration
from alvision.core.errors import UserError
from alvision.dataset.dataset import DataSet
from alvision.dataset.relisting import has_changed, relisted
from tests.conftest import paint


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(6):
        paint(number, "ok", 16).save(root / f"{number}.png")
    words = [f"data.root={root}", "oracle=page", "classes=[ok,worn]", f"out={tmp_path / 'run'}"]
    data = DataSet.open(configuration(words))
    assert len(data.hashes) == 6
    return data


def file(data, name):
    return data.manifest.root / name


def test_nothing_new_is_nothing(data):
    assert relisted(data) is None
    assert not has_changed(data, data.manifest.ids)


def test_an_image_that_came_is_in_it_and_no_other_has_changed(data):
    paint(7, "ok", 16).save(file(data, "7.png"))
    now = relisted(data)
    assert set(now.manifest.ids) - set(data.manifest.ids) == {"7.png"}
    assert relisted(now) is None
    assert not has_changed(data, data.manifest.ids)


def test_an_image_that_went_or_was_replaced_is_noticed(data):
    file(data, "1.png").unlink()
    before = data.hashes["2.png"]
    paint(8, "worn", 16).save(file(data, "2.png"))
    os.utime(file(data, "2.png"), (1e9, 1e9))
    assert [id for id in data.manifest.ids if has_changed(data, [id])] == ["1.png", "2.png"]
    now = relisted(data)
    assert now.locate("2.png", before) is None
    assert now.locate("1.png", data.hashes["1.png"]) is None


def test_a_moved_image_is_found_by_its_bytes(data):
    file(data, "1.png").rename(file(data, "z.png"))
    now = relisted(data)
    assert now.locate("1.png", data.hashes["1.png"]) == "z.png"


def test_a_folder_that_is_gone_is_no_data_set_without_images(data):
    data.manifest.root.rename(data.manifest.root.with_name("away"))
    with pytest.raises(UserError, match="does not exist"):
        relisted(data)
