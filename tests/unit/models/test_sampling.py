import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
import torchvision
from timm.layers import DropPath
from torch import nn

from alvision.core.seeding import generator
from alvision.models import sampling
from alvision.models.backbones import build
from alvision.models.sampling import Sampled, stochastic


class Branch(nn.Module):
    """A residual block that writes into its own results, as many networks do."""

    def __init__(self, width, drop):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.drop = drop

    def forward(self, x):
        y = self.relu(self.norm(self.conv(x)))
        y = self.drop(self.norm(self.conv(y)))
        y += x
        return self.relu(y)


def network(drop, before=2):
    torch.manual_seed(0)
    blocks = [Branch(4, nn.Identity()) for _ in range(before)]
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), *blocks, Branch(4, drop), Branch(4, nn.Identity()),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip


def mask(seed, number, name, module, inputs):
    """Return the factor that a pass multiplies with, as it is defined."""
    rate = getattr(module, "drop_prob", None) or module.p
    shape = {nn.Dropout: inputs.shape[1:], nn.Dropout2d: (inputs.shape[1], 1, 1)}
    drawn = torch.rand(shape.get(type(module), (1,)), generator=generator(seed, number, name))
    return (drawn < 1 - rate).float() / (1 - rate)


def one_by_one(trunk, passes, seed, images):
    """Return the whole network's features, then those of K full passes with the draws put in."""
    features = [trunk(images)]
    for number in range(passes):
        hooks = [
            module.register_forward_hook(
                lambda m, i, o, name=name, number=number: o * mask(seed, number, name, m, o)
            )
            for name, module in stochastic(trunk).items()
        ]
        features.append(trunk(images))
        for hook in hooks:
            hook.remove()
    return torch.stack(features, dim=1)


@pytest.mark.parametrize(
    "drop", [nn.Dropout(0.4), nn.Dropout2d(0.4), DropPath(0.4),
             torchvision.ops.StochasticDepth(0.4, "row")],
    ids=lambda drop: type(drop).__name__,
)  # fmt: skip
@torch.inference_mode()
def test_a_kind_of_dropout_gives_k_networks(drop):
    trunk, images = network(drop), torch.rand(3, 3, 12, 12)
    features = Sampled(trunk, 6, seed=1)(images)
    assert features.shape == (3, 7, 4)
    assert torch.equal(features, one_by_one(trunk, 6, 1, images))
    assert len(features[0].unique(dim=0)) > 1


@torch.inference_mode()
def test_what_comes_before_the_first_dropout_runs_once():
    trunk = network(DropPath(0.4))
    calls = []
    for place in (1, 2, 4):
        trunk[place].conv.register_forward_pre_hook(lambda m, i, place=place: calls.append(place))
    Sampled(trunk, 5, seed=0)(torch.rand(2, 3, 12, 12))
    assert [calls.count(place) for place in (1, 2, 4)] == [2, 2, 12]


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_convnext"])
@torch.inference_mode()
def test_a_network_with_stochastic_depth(name):
    torch.manual_seed(0)
    trunk = build(name, None, features="multilevel", drop_path=0.6).trunk
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.fill_(1.0)  # timm begins with branches that add nothing
    images = torch.rand(1, 3, 32, 32)
    features = Sampled(trunk, 8, seed=2)(images)
    assert torch.allclose(features, one_by_one(trunk, 8, 2, images), atol=1e-5)
    assert len(features[0].unique(dim=0)) > 2


@torch.inference_mode()
def test_masks_are_those_of_seed_and_pass_and_alike_for_all_images():
    trunk, images = network(nn.Dropout(0.5)), torch.rand(4, 3, 12, 12)
    whole = Sampled(trunk, 3, seed=5)(images)
    again = Sampled(trunk, 3, seed=5)
    parts = torch.cat([again(images[:1]), again(images[1:])])
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not torch.allclose(whole[:, 1:], Sampled(trunk, 3, seed=6)(images)[:, 1:], atol=1e-4)


def test_the_trunk_is_left_as_it_was():
    trunk = network(nn.Dropout(0.5)).train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    with torch.inference_mode():
        Sampled(trunk, 2, seed=0).eval()(torch.rand(2, 3, 12, 12))
    assert trunk.training and all("forward" not in vars(module) for module in trunk.modules())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_threads_and_copies_do_not_mix():
    trunk = network(DropPath(0.5))
    sampled = Sampled(trunk, 4, seed=0).eval()
    twin = pickle.loads(pickle.dumps(copy.deepcopy(sampled)))
    images = [torch.rand(1, 3, 12, 12) for _ in range(24)]

    def run(module, one):
        with torch.inference_mode():
            return module(one)

    expected = [run(sampled, one) for one in images]
    with ThreadPoolExecutor(4) as pool:
        for module in (sampled, twin):
            assert all(map(torch.equal, pool.map(partial(run, module), images), expected))


def test_only_what_drops_something_counts():
    assert stochastic(network(nn.Dropout(0.0))) == {}
    assert sampling.stochastic(build("timm:test_resnet", None).trunk) == {}
