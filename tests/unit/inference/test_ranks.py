import multiprocessing
from dataclasses import replace

import pytest
import torch
from torch import nn

from alvision.core.errors import UserError
from alvision.data.images import ImageSpec
from alvision.inference import pool, ranks
from alvision.inference.engine import Engine
from alvision.models.backbones import build
from alvision.models.sampling import Sampled

ENGINE = Engine(torch.device("cpu"), "32-true", batch_size=4, workers=1, devices=2)
OPTIONS = {"mean": (0.5,) * 3, "std": (0.2,) * 3}


@pytest.fixture
def images(parts):
    return [(path.name, path) for path in sorted((parts / "ok").iterdir())]


def run(trunk, images, engine, set_aside):
    chunks = ranks.trunk_features(
        trunk, images, ImageSpec(32), engine, set_aside=set_aside, **OPTIONS
    )
    ids, features = zip(*chunks, strict=True)
    return [id for part in ids for id in part], torch.cat(features)


class Dying(nn.Module):
    """A trunk whose process ends in the middle of the work."""

    def forward(self, images):
        raise SystemExit(9)


@pytest.mark.slow
def test_two_ranks_give_what_one_process_gives(images, tmp_path):
    torch.manual_seed(0)
    trunk = build("timm:test_convnext", None, features="multilevel", drop_path=0.5).trunk
    images = [*images[:9], ("gone", tmp_path / "gone"), *images[9:]]
    sampled, one, two = Sampled(trunk, 2, seed=0), {}, {}
    expected = run(sampled, images, replace(ENGINE, devices=1), one)
    found = run(sampled, images, ENGINE, two)
    assert found[0] == expected[0] == [id for id, _ in images if id != "gone"]
    assert found[1].shape[1:] == (3, 352)
    assert torch.allclose(found[1], expected[1], atol=1e-5)
    assert one == two and set(two) == {"gone"}


@pytest.mark.slow
def test_a_rank_that_dies_is_told_of_and_leaves_no_process(images):
    with pytest.raises(UserError, match=r"trainer\.devices ended"):
        run(Dying(), images, ENGINE, {})
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("count", [1, 4])
def test_work_for_one_rank_is_done_here(images, count, monkeypatch):
    monkeypatch.setattr(ranks.multiprocessing, "get_context", None)
    ids, _ = run(nn.Flatten(), images[:count], ENGINE, {})
    assert ids == [id for id, _ in images[:count]]
    monkeypatch.setattr(pool, "trunk_features", None)
    with pytest.raises(TypeError):
        run(nn.Flatten(), images[:count], ENGINE, {})
