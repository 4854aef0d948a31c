import pytest
import torch
import torchvision
from timm.layers import DropPath
from torch import nn

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


def one_by_one(trunk, sampled, images):
    """Return what the definition says: K full passes with the same draws."""
    passes = [trunk(images)]
    for number in range(sampled.passes):
        hooks = [
            module.register_forward_hook(
                lambda m, i, o, key=(number, name): o * sampled._draws[key]
            )
            for name, module in stochastic(trunk).items()
        ]
        passes.append(trunk(images))
        for hook in hooks:
            hook.remove()
    return torch.stack(passes, dim=1)


@pytest.mark.parametrize(
    "drop", [nn.Dropout(0.4), nn.Dropout2d(0.4), DropPath(0.4),
             torchvision.ops.StochasticDepth(0.4, "row")],
    ids=lambda drop: type(drop).__name__,
)  # fmt: skip
@torch.inference_mode()
def test_a_kind_of_dropout_gives_k_networks(drop):
    trunk, images = network(drop), torch.rand(3, 3, 12, 12)
    sampled = Sampled(trunk, 6, seed=1)
    features = sampled(images)
    assert features.shape == (3, 7, 4)
    assert torch.equal(features, one_by_one(trunk, sampled, images))
    assert len(features[0].unique(dim=0)) > 1


@torch.inference_mode()
def test_what_comes_before_the_first_dropout_runs_once():
    trunk = network(DropPath(0.4))
    calls = []
    for place in (0, 1, 2, 4):
        inner = trunk[place].conv if place else trunk[place]
        inner.register_forward_pre_hook(lambda m, i, place=place: calls.append(place))
    dropped = trunk[3].conv
    dropped.register_forward_pre_hook(lambda m, i: calls.append(3))
    Sampled(trunk, 5, seed=0)(torch.rand(2, 3, 12, 12))
    # A block calls its convolution twice; the one with the dropout has both before it. A pre-hook
    # is heard even where what was kept is given instead.
    assert [calls.count(place) for place in (0, 1, 2, 4)] == [6, 2, 2, 12]


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_convnext"])
@torch.inference_mode()
def test_a_network_with_stochastic_depth(name):
    torch.manual_seed(0)
    trunk = build(name, None, features="multilevel", drop_path=0.6).trunk
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.fill_(1.0)  # timm begins with branches that add nothing
    sampled, images = Sampled(trunk, 8, seed=2), torch.rand(1, 3, 32, 32)
    features = sampled(images)
    assert torch.allclose(features, one_by_one(trunk, sampled, images), atol=1e-5)
    assert len(features[0].unique(dim=0)) > 2


@torch.inference_mode()
def test_masks_are_those_of_seed_and_pass_and_alike_for_all_images():
    trunk, images = network(nn.Dropout(0.5)), torch.rand(4, 3, 12, 12)
    whole = Sampled(trunk, 3, seed=5)(images)
    again = Sampled(trunk, 3, seed=5)
    parts = torch.cat([again(images[:1]), again(images[1:])])
    assert torch.allclose(whole, parts, atol=1e-6)
    assert not torch.allclose(whole[:, 1:], Sampled(trunk, 3, seed=6)(images)[:, 1:], atol=1e-4)


def test_the_trunk_is_left_as_it_was_also_after_an_error():
    trunk = network(nn.Dropout(0.5))
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    with torch.inference_mode():
        Sampled(trunk, 2, seed=0)(torch.rand(2, 3, 12, 12))
    with pytest.raises(RuntimeError):
        Sampled(trunk, 2, seed=0)(torch.rand(2, 5, 12, 12))
    assert all("forward" not in vars(module) for module in trunk.modules())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_only_what_drops_something_counts():
    assert stochastic(network(nn.Dropout(0.0))) == {}
    assert sampling.stochastic(build("timm:test_resnet", None).trunk) == {}
