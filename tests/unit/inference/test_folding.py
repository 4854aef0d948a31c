import pytest
import torch
from torch import nn

from alvision.inference.folding import folded
from alvision.models.backbones import build

SHAPE = (32, 32)


class Block(nn.Module):
    """A convolution, and what normalises its output; `shared` uses the convolution twice."""

    def __init__(self, shared=False, leak=False):
        super().__init__()
        self.shared, self.leak = shared, leak
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        for norm in (self.norm, self.other):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)

    def forward(self, images):
        made = self.conv(images)
        out = self.norm(made)
        if self.shared:
            out = self.other(self.conv(out))
        if self.leak:
            out = out + made
        return out.mean(dim=(2, 3))


def norms(trunk):
    return sum(isinstance(module, nn.BatchNorm2d) for module in trunk.modules())


def test_a_normalisation_after_a_convolution_goes_and_the_features_stay():
    trunk, images = Block().eval(), torch.randn(2, 3, *SHAPE)
    found = folded(trunk, SHAPE)
    assert norms(found) == norms(trunk) - 1 and norms(trunk) == 2
    torch.testing.assert_close(found(images), trunk(images))


@pytest.mark.parametrize("how", ["shared", "leak"])
def test_a_convolution_with_another_reader_keeps_its_normalisation(how):
    trunk = Block(**{how: True}).eval()
    assert folded(trunk, SHAPE) is trunk


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features"),
    [("resnet10t", "final"), ("tf_efficientnet_lite0", "multilevel"), ("resnet18", "final")],
)
def test_every_shipped_trunk_folds_whole(name, features):
    trunk = build(name, None, features=features).trunk.eval()
    found, images = folded(trunk, (64, 64)), torch.rand(2, 3, 64, 64)
    assert norms(trunk) > 0 == norms(found)
    with torch.inference_mode():
        torch.testing.assert_close(found(images), trunk(images), rtol=1e-3, atol=1e-4)
