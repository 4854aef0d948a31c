"""Thumbnails, numbers and templates."""

import base64
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from alvision.data.images import ImageSpec
from alvision.reporting.html import THUMBNAIL_SIDE, Thumbnails, number, render, save
from tests.unit.reporting.builder import draw


@pytest.fixture
def pictures(tmp_path):
    return draw(tmp_path / "images", ["a.png", "b.png"], lambda sample: "ok", side=200)


def test_a_thumbnail_is_a_small_jpeg_inside_the_page(pictures):
    address = Thumbnails(pictures).address("a.png")
    assert address.startswith("data:image/jpeg;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    assert picture.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert len(address) < 10_000


def test_a_thumbnail_shows_what_the_network_sees(pictures):
    whole = Thumbnails(pictures).pixels("a.png")
    corner = Thumbnails(pictures, ImageSpec(64, crop=(0, 0, 0.25, 0.25))).pixels("a.png")
    assert corner.shape == whole.shape
    assert not np.array_equal(corner, whole)


def test_missing_broken_and_unknown_pictures_have_placeholders(pictures):
    (pictures.root / "b.png").write_bytes(b"no image")
    thumbnails = Thumbnails(pictures)
    assert thumbnails.address("b.png") is None
    assert thumbnails.address("gone.png") is None
    assert Thumbnails(None).address("a.png") is None


def test_another_photograph_under_the_same_name_is_not_shown_for_the_one_that_was_asked(pictures):
    path = pictures.root / "a.png"
    then = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Thumbnails(pictures).address("a.png", then) is not None
    Image.new("RGB", (200, 200), "red").save(path)
    assert Thumbnails(pictures).address("a.png", then) is None
    assert Thumbnails(pictures).address("a.png") is not None


def test_no_more_pictures_than_the_budget(pictures):
    thumbnails = Thumbnails(pictures, budget=1)
    assert [thumbnails.address("a.png") is None for _ in range(3)] == [False, True, True]


def test_numbers_keep_their_kind():
    assert number(0) == "0"
    assert number(1234567) == "1,234,567"
    assert number(0.5, 1) == "0.5"
    assert number(float("inf")) == "–"


def test_values_are_escaped():
    card = {
        "id": '"><script>', "address": None, "answer": "<em>", "prediction": "<i>", "right": False,
        "reason": "a & b", "slot": "",
    }  # fmt: skip
    gallery = {"name": "<u>", "number": 1, "cards": [card], "asked": 1, "more": 0, "wrong": 1}
    html = render(
        "run.html", name="<n>", acquisition="a", seed=0, sentences=["<s>"], note=None,
        advice=["<a>"], target=None, tiles=[], chart=None,
        metrics=[], rounds=[], classes=[], rarest=None,
        held_out=0, confusion=[], audit=[], other_answers=None, galleries=[gallery], contest=None,
        set_aside=[("<x>", "<y>")], set_aside_more=0,
        conflicts=[], command="a <em>", rebuild="b", versions={}, choices={}, files=[],
    )  # fmt: skip
    for text in ("<script", "<em>", "<i>", "<n>", "<s>", "<a>", "<x>", "<y>"):
        assert text not in html


def test_saving_replaces_the_page_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "report.html"
    save(path, "old")
    assert save(path, "ü\n") == path
    assert path.read_bytes() == "ü\n".encode()
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("spec", [None, ImageSpec(64, fit="letterbox", crop=(0, 0, 1, 0.5))])
def test_a_map_lies_over_its_thumbnail(pictures, tmp_path, spec):
    layer = np.zeros((50, 50, 4), np.uint8)
    layer[..., :3] = 255, 45, 0
    layer[5:20, 5:20, 3] = 255
    Image.fromarray(layer).save(tmp_path / "map.png")
    thumbnails = Thumbnails(pictures, spec)
    plain, covered = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))
        for address in (
            thumbnails.address("a.png"),
            thumbnails.address("a.png", over=tmp_path / "map.png"),
        )
    )
    changed = np.abs(plain.astype(int) - covered).max(2) > 60
    rows, columns = np.nonzero(changed)
    assert 0.05 < changed.mean() < 0.15
    side = THUMBNAIL_SIDE
    assert columns.max() < 0.45 * side and rows.max() < (0.45 if spec is None else 0.75) * side
    (tmp_path / "map.png").write_bytes(b"half")
    assert thumbnails.address("a.png", over=tmp_path / "map.png") is not None
