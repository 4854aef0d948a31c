"""The page's heatmap of a photograph in tiles, drawn as a file of its round."""

from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import nn

from alvision.core.records import Query, QueryRow
from alvision.data.images import ImageSpec, load
from alvision.explain.opinions import Opinions
from alvision.models.bags import PARTS

SPEC = ImageSpec(16, tiles="auto")


class Learner:
    """Sees the brightest pixel of each tile; its class `worn` is a tile that stands out."""

    classes = ("ok", "worn")
    model = SimpleNamespace(views="none")
    backbone = object()
    novelty = None

    def __init__(self, path):
        self.path = path
        self.features = SimpleNamespace(spec=SPEC, decode=self._decode, tiles=self._tiles)

    def _decode(self, ids):
        return {id: load(self.path, SPEC) for id in ids}

    def _tiles(self, photograph):
        return torch.from_numpy(photograph).flatten(0, 1).amax((1, 2)).float() / 255

    def infer(self, model, ids, *, needs, round):
        log_probs = torch.tensor([[[0.1, 0.9]]]).log().expand(len(ids), 1, 2)
        features = torch.ones(len(ids), 2)
        seen = SimpleNamespace(ids=tuple(ids), log_probs=log_probs, features=features)
        return type("Seen", (), {**vars(seen), "__len__": lambda self: len(ids)})()


def test_it_is_hot_where_the_mark_is(tmp_path):
    path = tmp_path / "p.png"
    pixels = np.full((46, 76), 90, np.uint8)
    pixels[40:42, 3:9] = 200
    Image.fromarray(pixels).save(path)
    head = nn.Linear(3 * PARTS, 2)
    nn.init.zeros_(head.weight)
    head.weight.data[1, 3:] = 1.0
    module = SimpleNamespace(head=head, eval=lambda: module)
    model = SimpleNamespace(fitted=True, classes=("ok", "worn"), module=module)
    before = SimpleNamespace(read=lambda name: model)
    rnd = SimpleNamespace(previous=before, folder=tmp_path, has=lambda name: False)
    learner = Learner(path)
    query = Query(1, (QueryRow("p.png", 1, 0.5, "acquisition"),))
    opinions = Opinions(
        lambda number: rnd, learner, dict, lambda id: path, lambda id, sha256: id, {}
    )
    assert len(list(opinions(query))) == 2
    (drawn,) = (tmp_path / "heatmaps").iterdir()
    with Image.open(drawn) as picture:
        opacity = np.asarray(picture)[..., 3].astype(float)
    down, along = (opacity.sum(1 - axis).argmax() / opacity.shape[axis] for axis in (0, 1))
    assert down > 0.6 and along < 0.35
    assert opacity[: opacity.shape[0] // 3].max() < 0.2 * opacity.max()
