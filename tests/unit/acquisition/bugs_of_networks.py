"""Bugs that published systems have in their networks: dropout, batch norm, classes, test part.

Of each stand here the test that it fails, our form and the faulty one; both have one signature.
"""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from alvision.acquisition import bald
from alvision.config.schema import DataConfig, ModelConfig, TrainerConfig
from alvision.core.errors import UserError
from alvision.data.images import ImageSpec, load
from alvision.data.manifest import Manifest
from alvision.inference.engine import Engine
from alvision.inference.pool import trunk_features
from alvision.models.heads import Head
from alvision.training import Learner
from tests.conftest import paint
from tests.support.pools import generator

CLASSES = ("ok", "worn", "bent")


def passes_are_new_networks(passes, folder):
    """K passes inside a model in eval mode are K networks, the same ones for every image."""
    twins = torch.randn(1, 16, generator=generator()).expand(5, 16)
    first, second = passes(twins, 4, seed=1), passes(twins, 4, seed=2)
    assert torch.allclose(first, first[:1].expand_as(first), atol=1e-6)
    assert len(first[0, :, 0].unique()) == 4
    assert not torch.allclose(first, second)


@functools.cache
def _head():
    torch.manual_seed(0)
    return nn.ModuleDict({"head": Head(16, 3, dropout=0.5)})


def passes_of_our_head(features, count, seed):
    head = _head().eval()["head"]
    return head.passes(features, head.masks(count, generator(seed)))


class ResetInEval(nn.Module):
    """Consistent dropout whose masks are drawn anew by its own `eval()`, which no model calls."""

    mask = None

    def eval(self):
        self.mask = None
        return super().eval()

    def forward(self, values):
        if self.mask is None:
            self.mask = (torch.rand(values.shape[1]) < 0.5).float() * 2
        return values * self.mask


def passes_of_a_model_that_resets_in_eval(features, count, seed):
    model = nn.Sequential(ResetInEval(), nn.Linear(16, 3))
    every = [model.eval()(features).log_softmax(-1) for _ in range(count)]
    return torch.stack(every, 1).detach()


def without_dropout_nothing_disagrees(infer, folder):
    """A network without dropout has one opinion: no score may find disagreement in it."""
    try:
        log_probs = infer(ModelConfig(head="linear"))
    except UserError:
        return
    assert bald(log_probs).max() < 1e-6


def every_strategy_sees_the_same_networks(infer, folder):
    """K passes are for all strategies of a study, not only for those that compare them."""
    margin, bald = infer({"log_probs"}), infer({"log_probs", "passes"})
    assert torch.equal(margin, bald)


def learner(model=None, classes=CLASSES):
    features = torch.randn(24, 6, generator=generator()).numpy()
    ids = tuple(f"{i:02d}" for i in range(24))
    none = (None,) * 24
    manifest = Manifest(Path(), ids, (Path(),) * 24, none, none, none, features)
    trainer = TrainerConfig(accelerator="cpu", precision="32-true", head_steps=8)
    hashes = dict.fromkeys(ids, "sha")
    data = DataConfig(kind="embeddings")
    model = model or ModelConfig(passes=3)
    return Learner(manifest, hashes, classes, data, model, trainer, 0, ids, pool=ids)


LABELS = {f"{i:02d}": CLASSES[i % 2] for i in range(10)}
TEST = tuple(f"{i:02d}" for i in range(10, 24))


def our_passes(model):
    ours = learner(model)
    needs = {"log_probs", "passes"}
    return ours.infer(ours.fit(LABELS, round=1), TEST, needs=needs, round=1).log_probs


def views_as_passes(model):
    ours = learner(model)
    fitted = ours.fit(LABELS, round=1)
    features = ours.features.initial(list(TEST))[1]
    views = [features + 0.3 * torch.randn(features.shape, generator=generator(k)) for k in range(4)]
    head = fitted.module.eval().head
    return torch.stack([head(view).log_softmax(-1) for view in views], 1).detach()


def our_passes_for(needs):
    ours = learner()
    return ours.infer(ours.fit(LABELS, round=1), TEST, needs=needs, round=1).log_probs


def dropout_for_one_method_only(needs):
    plain = learner(None if "passes" in needs else ModelConfig(head="linear"))
    return plain.infer(plain.fit(LABELS, round=1), TEST, needs=needs, round=1).log_probs


def classes_are_those_of_the_configuration(infer, folder):
    """Labels of two of three classes leave three probabilities."""
    assert infer(LABELS).shape[-1] == 3


def classes_of_the_run(labels):
    ours = learner()
    return ours.infer(ours.fit(labels, round=1), TEST, needs={"log_probs"}, round=1).log_probs


def classes_of_the_labels_seen(labels):
    theirs = learner(classes=sorted(set(labels.values())))
    return theirs.infer(theirs.fit(labels, round=1), TEST, needs={"log_probs"}, round=1).log_probs


def test_labels_change_no_model(fit, folder):
    """The model must be the same whatever the labels of the test part are."""
    one, other = (fit(dict.fromkeys(TEST, name)) for name in ("ok", "worn"))
    assert torch.equal(one, other)


def fit_without_test(truth):
    return learner().fit(LABELS, round=1).module.head.first.weight


def best_of_three_on_the_test_part(truth):
    ours = learner()
    models = [ours.fit(LABELS, round=k) for k in range(3)]
    said = [ours.predict(model, TEST) for model in models]
    right = [
        sum(CLASSES[c] == truth[id] for c, id in zip(p.values.argmax(1), p.ids, strict=True))
        for p in said
    ]
    return models[int(np.argmax(right))].module.head.first.weight


def a_row_has_features_of_its_own(features, folder):
    """Neither batch mates nor an earlier pass may change an image's features, nor the network."""
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    paths = []
    for i in range(4):
        paths.append(folder / f"{i}.png")
        paint(i, ("ok", "worn")[i % 2], side=16).save(paths[-1])
    together = features(trunk, paths)
    alone = torch.cat([features(trunk, [path]) for path in paths])
    assert torch.allclose(together, alone, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


ENGINE = Engine(torch.device("cpu"), "32-true", batch_size=4)
SCALE = {"mean": (0.5,) * 3, "std": (0.5,) * 3}


def features_in_eval(trunk, paths):
    images = [(path.name, path) for path in paths]
    spec = ImageSpec(size=16)
    chunks = trunk_features(trunk, images, spec, ENGINE, **SCALE, set_aside={})
    return torch.cat([features for _, features in chunks])


def features_in_train(trunk, paths):
    trunk.train()  # "to switch dropout on"
    pixels = np.stack([load(path, ImageSpec(size=16)) for path in paths])
    with torch.no_grad():
        return trunk(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)


BUGS = [
    (7, "masks that eval() resets are never reset inside a model",
     passes_of_our_head, passes_of_a_model_that_resets_in_eval, passes_are_new_networks),
    (8, "DeepAL+: BALD without a dropout layer, over augmented images",
     our_passes, views_as_passes, without_dropout_nothing_disagrees),
    (9, "BatchNorm in train mode during inference",
     features_in_eval, features_in_train, a_row_has_features_of_its_own),
    (11, "the number of classes is taken from the labels seen",
     classes_of_the_run, classes_of_the_labels_seen, classes_are_those_of_the_configuration),
    (16, "the best model is chosen on the test part",
     fit_without_test, best_of_three_on_the_test_part, test_labels_change_no_model),
    (17, "dropout for one strategy only",
     our_passes_for, dropout_for_one_method_only, every_strategy_sees_the_same_networks),
]  # fmt: skip
"""Number in the list of known bugs, what it is, our form, the faulty form, the test."""
