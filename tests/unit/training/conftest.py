"""A learner on tiny pictures; both ways of training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alvision.config.schema import DataConfig, ImageConfig, ModelConfig, TrainerConfig
from alvision.data.hashes import content_hashes
from alvision.data.manifest import Manifest, build
from alvision.training import Learner

CLASSES = ("ok", "worn")
TINY = ModelConfig(backbone="timm:test_resnet", weights=None, passes=5)
FINETUNE = replace(TINY, training="finetune")
ON_CPU = TrainerConfig(
    accelerator="cpu", precision="32-true", head_steps=20, epochs=3, batch_size=8, num_workers=1
)


both_ways = pytest.mark.parametrize(
    "model",
    [
        pytest.param(TINY, id="frozen"),
        pytest.param(FINETUNE, id="finetune", marks=pytest.mark.slow),
    ],
)


@pytest.fixture
def manifest(parts):
    return build(DataConfig(kind="class_folders", root=str(parts)))


@pytest.fixture
def truth(manifest):
    return dict(zip(manifest.ids, manifest.truth, strict=True))


def learner_of(manifest, model=TINY, trainer=ON_CPU, seed=0, classes=CLASSES, groups=None, **more):
    hashes = content_hashes(manifest)
    data = DataConfig(kind="class_folders", image=ImageConfig(size=32))
    groups, pool = groups or manifest.ids, more.pop("pool", manifest.ids)
    return Learner(manifest, hashes, classes, data, model, trainer, seed, groups, pool=pool, **more)


@pytest.fixture
def learn(manifest):
    """Return what makes a learner; a key word changes one of its arguments."""

    def make(model=TINY, trainer=ON_CPU, seed=0, classes=CLASSES, of=manifest, groups=None, **more):
        return learner_of(of, model, trainer, seed, classes, groups, **more)

    return make


@pytest.fixture(scope="session")
def taught(painted_parts, tmp_path_factory):
    """Return a learner and its model of round 1, for tests that change neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(tmp_path_factory.mktemp("taught")))
        manifest = build(DataConfig(kind="class_folders", root=str(painted_parts)))
        learner = learner_of(manifest)
        return learner, learner.fit(dict(zip(manifest.ids, manifest.truth, strict=True)), round=1)


@pytest.fixture
def embedded(truth):
    """Return 36 embeddings in which the classes lie apart."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(truth), 6)).astype(np.float32)
    features[:, :3] += [[2.5] if label == "worn" else [-2.5] for label in truth.values()]
    ids, none = tuple(truth), (None,) * len(truth)
    return Manifest(Path(), ids, tuple(map(Path, ids)), none, none, tuple(truth.values()), features)


def state(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def mean_entropy(log_probs):
    mean = log_probs.exp().mean(1)
    return -(mean * mean.clamp(min=1e-12).log()).sum(-1)
