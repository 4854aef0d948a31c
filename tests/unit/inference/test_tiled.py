import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from alvision.core.errors import UserError
from alvision.data.decoding import decode
from alvision.data.images import ImageSpec
from alvision.inference import memory, pool, tiled
from alvision.inference.engine import Engine
from alvision.models import bags

SPEC = ImageSpec(16, tiles="auto")
SIZES = [(50, 40), (16, 16), (60, 20), (33, 47), (50, 40)]


class Statistics(nn.Module):
    def forward(self, images):
        return torch.cat([images.mean((2, 3)), images.amax((2, 3))], dim=1)


def engine(batch_size=4, workers=2):
    return Engine(torch.device("cpu"), "32-true", batch_size, workers=workers)


@pytest.fixture
def photographs(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for number, (width, height) in enumerate(SIZES):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
        found.append((path.name, path))
    return found


def run(photographs, on, set_aside=None):
    chunks = pool.trunk_features(
        Statistics(), photographs, SPEC, on, mean=(0.5,) * 3, std=(0.5,) * 3,
        set_aside={} if set_aside is None else set_aside,
    )  # fmt: skip
    ids, features = zip(*chunks, strict=True)
    return [id for part in ids for id in part], torch.cat(features)


def test_each_photographs_tiles_are_pooled_whatever_its_size(photographs):
    ids, features = run(photographs, engine())
    assert ids == [id for id, _ in photographs]
    for row, (_, path) in enumerate(photographs):
        cut = torch.from_numpy(decode(path.read_bytes(), SPEC, path)).flatten(0, 1)
        by_hand = Statistics()((cut / 127.5 - 1).permute(0, 3, 1, 2))
        assert torch.allclose(features[row], bags.pool(by_hand)[0], atol=1e-3)


@pytest.mark.parametrize("on", [engine(1, 1), engine(3, 2), engine(64, 1)])
def test_nothing_depends_on_how_the_work_was_split(photographs, on):
    assert torch.equal(run(photographs, engine())[1], run(photographs, on)[1])


def test_broken_photographs_and_small_ones_are_set_aside(photographs, tmp_path):
    broken, small = tmp_path / "broken.png", tmp_path / "small.png"
    broken.write_bytes(b"no image")
    Image.new("L", (15, 90)).save(small)
    aside = {}
    ids, features = run([("b", broken), *photographs, ("s", small)], engine(), aside)
    assert len(ids) == len(features) == len(photographs)
    assert aside["b"] == "not an image" and aside["s"].startswith("15 x 90 pixels, less than one")


def test_small_photographs_share_a_batch_and_large_ones_do_not(photographs):
    batches = [photographs[:4], photographs[4:]]
    split = tiled.regrouped(batches, SPEC, 24)  # the first becomes 12 tiles
    assert [len(part) for part in split] == [2, 2, 1]
    assert [len(part) for part in tiled.regrouped(batches, SPEC, 4)] == [1] * 5
    assert [one for part in split for one in part] == photographs


def test_too_little_memory_is_refused_in_a_line(photographs, monkeypatch):
    paths = [path for _, path in photographs]
    assert tiled.bytes_at_once(paths, SPEC, engine()) > 0
    monkeypatch.setattr(tiled, "available", lambda: 10_000)
    with pytest.raises(UserError, match=r"a photograph of 50 x 40 pixels with its 12 tiles takes"):
        tiled.bytes_at_once(paths, SPEC, engine())


def test_without_a_photograph_there_is_nothing_to_hold(tmp_path):
    assert tiled.bytes_at_once([tmp_path / "gone.png"], SPEC, engine()) == 0


def test_a_containers_own_limit_counts(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 99 kB\nMemAvailable:    50 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available() == 50 * 1024
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available() == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() == 50 * 1024
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert memory.available() is None
