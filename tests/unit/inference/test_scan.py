import numpy as np
import pytest
import torch

from alvision.core.errors import UserError
from alvision.inference.pool import CHANGED
from alvision.inference.scan import directions, scan


def reader(images, aside):
    """Give the number in an id as its features; `bad` and `new` cannot be used."""
    for start in range(0, len(images), 2):
        ids = []
        for id, _ in images[start : start + 2]:
            if id.startswith("bad"):
                aside[id] = "not an image"
            elif id.startswith("new"):
                aside[id] = CHANGED
            else:
                ids.append(id)
        if ids:
            values = torch.tensor([[float(id), 1.0, 0.0] for id in ids])
            yield tuple(ids), values, torch.full((len(ids), 2), 0.5)


def scanned(ids, tmp_path, **options):
    return scan([(id, tmp_path / id) for id in ids], reader, ("ok", "worn"), **options)


def test_every_image_is_a_row_whatever_became_of_it(tmp_path):
    found = scanned(["7", "bad1", "3", "new1", "bad2"], tmp_path)
    assert found["id"].to_pylist() == ["7", "bad1", "3", "new1", "bad2"]
    assert found["status"].to_pylist() == ["ok", "unreadable", "ok", "changed", "unreadable"]
    assert found["error"].to_pylist() == [None, "not an image", None, CHANGED, "not an image"]
    assert found["features"].to_pylist() == [[7, 1, 0], None, [3, 1, 0], None, None]
    assert found["probabilities"].to_pylist() == [[0.5, 0.5], None, [0.5, 0.5], None, None]
    assert found["features"].type.value_type == "halffloat"
    assert found.schema.metadata[b"classes"] == b"ok\nworn"


def test_a_shard_of_bad_images_is_a_table_too(tmp_path):
    found = scanned(["bad1", "bad2"], tmp_path)
    assert found["features"].to_pylist() == [None, None]


def test_projected_features_keep_distances_and_are_the_same_each_time(tmp_path):
    assert scanned(["5"], tmp_path, project=4)["features"].type.list_size == 4
    values = torch.randn(20, 1000, generator=torch.Generator().manual_seed(1))
    short = values @ directions(1000, 256)
    ratio = (torch.pdist(short) / torch.pdist(values)).numpy()
    assert np.abs(ratio - 1).max() < 0.25
    assert torch.equal(directions(10, 3), directions.__wrapped__(10, 3))


def test_an_id_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="'4' more than once"):
        scanned(["4", "5", "4"], tmp_path)
