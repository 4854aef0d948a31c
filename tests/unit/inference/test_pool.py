import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from alvision.data.decoding import decode
from alvision.data.images import ImageSpec, read
from alvision.inference import pool
from alvision.inference.engine import Engine
from alvision.models.backbones import build
from alvision.models.normalised import normalise

SPEC = ImageSpec(32)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


@pytest.fixture
def images(parts):
    return [(path.name, path) for path in sorted((parts / "ok").iterdir())[:10]]


def engine(batch_size=4, precision="32-true"):
    return Engine(torch.device("cpu"), precision, batch_size, workers=2)


def run(trunk, images, *, set_aside=None, on=None, hashes=None):
    chunks = pool.trunk_features(
        trunk, images, SPEC, on or engine(), mean=MEAN, std=STD,
        set_aside={} if set_aside is None else set_aside, hashes=hashes,
    )  # fmt: skip
    ids, features = zip(*chunks, strict=True)
    return [id for part in ids for id in part], torch.cat(features)


class Seen(nn.Module):
    """A trunk that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.batches, self.modes = [], []

    def forward(self, images):
        self.batches.append(images.clone())
        self.modes.append(self.training)
        return images.mean(dim=(2, 3))


def test_images_come_normalised_in_order_and_full_batches(images):
    trunk = Seen()
    ids, features = run(trunk.train(), images)
    assert ids == [id for id, _ in images]
    assert [batch.shape for batch in trunk.batches] == [(4, 3, 32, 32)] * 3
    assert trunk.modes == [False] * 3
    first = (decode(images[0][1].read_bytes(), SPEC, images[0][1]) / 255 - MEAN) / STD
    assert torch.allclose(
        trunk.batches[0][0].permute(1, 2, 0).double(), torch.tensor(first), atol=1e-5
    )
    assert features.shape == (10, 3) and features.dtype == torch.float32
    assert trunk.batches[0].is_contiguous(memory_format=torch.channels_last)


def test_an_image_is_decoded_once(images, monkeypatch):
    seen = []
    monkeypatch.setattr(pool, "read", lambda path: seen.append(path) or read(path))
    run(Seen(), images)
    assert sorted(seen) == [path for _, path in images]


def test_unreadable_images_are_set_aside_with_the_reason(images, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    set_aside = {}
    ids, _ = run(Seen(), [images[0], ("broken", broken), ("gone", tmp_path / "x"), images[1]],
                 set_aside=set_aside)  # fmt: skip
    assert ids == [images[0][0], images[1][0]]
    assert set_aside.keys() == {"broken", "gone"} and all(set_aside.values())


def test_an_image_that_changes_while_it_is_read_is_set_aside(images):
    hashes = {id: hashlib.sha256(path.read_bytes()).hexdigest() for id, path in images}
    hashes[images[1][0]] = "the hash that it had when the run began"
    set_aside = {}
    ids, _ = run(Seen(), images[:3], set_aside=set_aside, hashes=hashes)
    assert ids == [images[0][0], images[2][0]]
    assert set_aside == {images[1][0]: "the file changed while it was read"}


def test_a_machine_without_handles_blames_no_image(images, monkeypatch):
    def full(path):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", full)
    set_aside = {}
    with pytest.raises(OSError, match="Too many"):
        run(Seen(), images, set_aside=set_aside)
    assert not set_aside


def test_threads_stay_as_they_were(images):
    before = torch.get_num_threads()
    run(Seen(), images)
    assert torch.get_num_threads() == before


def test_nothing_readable_runs_nothing(tmp_path):
    assert list(pool.trunk_features(Seen(), [("gone", tmp_path / "x")], SPEC, engine(), mean=MEAN,
                                    std=STD, set_aside={})) == []  # fmt: skip


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_features_do_not_depend_on_the_split_of_the_work(images, precision):
    torch.manual_seed(0)
    trunk = build("timm:test_resnet", weights=None).trunk
    on = engine(precision=precision)
    _, whole = run(trunk, images, on=on)
    _, parts = zip(run(trunk, images[:3], on=on), run(trunk, images[3:], on=on), strict=True)
    assert torch.equal(whole, torch.cat(parts))


def test_weights_and_batch_norm_statistics_stay_as_they_are(images):
    torch.manual_seed(0)
    trunk = build("timm:test_resnet", weights=None).trunk.train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    run(trunk, images)
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def chunks():
    torch.manual_seed(0)
    return [(("a", "b"), torch.randn(2, 4)), (("c",), torch.randn(1, 4))]


def log_probs(features):
    return torch.stack([features, 2 * features], dim=1).log_softmax(-1)


def entropy(values):
    mean = values.exp().mean(1)
    return -(mean * mean.log()).sum(-1)


def test_a_fused_score_equals_the_score_of_everything():
    everything = pool.collect(
        chunks(), needs={"log_probs", "features"}, log_probs=log_probs, count=3
    )
    fused = pool.collect(chunks(), needs={"scores"}, log_probs=log_probs, score=entropy, count=3)
    assert fused.ids == everything.ids == ("a", "b", "c")
    assert torch.equal(fused.scores, entropy(everything.log_probs))
    assert fused.log_probs is None and fused.features is None
    assert torch.equal(everything.features, torch.cat([x for _, x in chunks()]))


def test_what_is_not_needed_is_not_computed():
    def forbidden(features):
        raise AssertionError

    found = pool.collect(chunks(), needs={"features"}, log_probs=forbidden, count=3)
    assert found.log_probs is None and found.features.shape == (3, 4)


def test_scores_need_a_score():
    with pytest.raises(ValueError, match="no score"):
        pool.collect(chunks(), needs={"scores"}, log_probs=log_probs, count=3)
    with pytest.raises(ValueError, match="no function"):
        pool.collect(chunks(), needs={"log_probs"}, count=3)


def test_no_bar_is_drawn_where_there_is_no_terminal(images, capsys):
    run(Seen(), images, on=Engine(torch.device("cpu"), "32-true", 4, 1, progress=True))
    assert capsys.readouterr() == ("", "")


def test_normalise_is_the_formula():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 2, 2, 3), np.uint8))
    expected = (pixels[0, 1, 0].double() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.allclose(normalise(pixels, MEAN, STD)[0, :, 1, 0].double(), expected)
