"""The page's map of a run that has a memory of patches, drawn before there is any model."""

import json
from types import SimpleNamespace

import numpy as np
from PIL import Image

from alvision.core.records import Query, QueryRow
from alvision.data.images import ImageSpec
from alvision.explain.heatmaps import strangeness
from alvision.explain.opinions import Opinions

SPEC, GRID = ImageSpec(64), (4, 4)


def odd(row, column, value=3.0):
    places = np.ones(GRID, np.float32)
    places[row, column] = value
    return places.ravel()


def test_a_hot_spot_is_coloured_and_boxed_and_the_rest_is_clear():
    opacity = np.asarray(strangeness(odd(1, 2, 9.0), GRID, 2.0, (200, 100), SPEC))[..., 3]
    assert opacity[30:45, 110:140].mean() > 90
    assert opacity[:, :30].max() < 10
    assert (opacity == 255).any()


def test_an_image_without_a_hot_spot_has_no_box_and_little_colour():
    opacity = np.asarray(strangeness(odd(1, 2, 1.2), GRID, 2.0, (200, 100), SPEC))[..., 3]
    assert 0 < opacity.max() < 60


def drawn(tmp_path, slot="novel"):
    Image.new("L", (300, 150)).save(tmp_path / "p.png")
    novelty = SimpleNamespace(
        grid=GRID, level=1.5, places=lambda digests: {one: odd(3, 0, 9.0) for one in digests}
    )
    learner = SimpleNamespace(novelty=novelty, features=SimpleNamespace(spec=SPEC))
    rnd = SimpleNamespace(previous=None, folder=tmp_path, has=lambda name: False)
    opinions = Opinions(
        lambda number: rnd,
        learner,
        dict,
        lambda id: tmp_path / id,
        lambda id, sha256: id,
        {"p.png": "ab"},
    )
    return list(opinions(Query(0, (QueryRow("p.png", 0, 9.0, slot),))))


def test_the_first_batch_has_maps_in_the_photographs_own_pixels(tmp_path):
    assert len(drawn(tmp_path)) == 2
    image = json.loads((tmp_path / "opinions.json").read_text())["images"]["p.png"]
    assert image["strange"] is True and image["probabilities"] == {} and image["neighbours"] == []
    with Image.open(tmp_path / "heatmaps" / image["heatmap"]) as picture:
        assert picture.size == (300, 150)
        hottest = np.unravel_index(np.asarray(picture)[..., 3].argmax(), (150, 300))
    assert hottest[0] > 100 and hottest[1] < 100


def test_an_audit_image_gets_no_map(tmp_path):
    assert drawn(tmp_path, "audit") == []
