import numpy as np
import pytest
import torch
from torch import nn

from alvision.data.image_spec import ImageSpec
from alvision.explain.heatmaps import class_activation, overlay
from alvision.explain.opinions import nearest
from alvision.models.backbones import build
from alvision.models.pooled import Pooled


class Net(nn.Module):
    """One channel that sees brightness and one that sees darkness, averaged."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 1, bias=False)
        self.convolution.weight.data = torch.tensor([[1.0, 1, 1], [-1, -1, -1]])[..., None, None]
        self.rectify = nn.ReLU(inplace=True)

    def forward(self, images):
        return self.rectify(self.convolution(images)).mean((2, 3))


def test_the_map_of_a_linear_head_is_the_sum_of_weighted_channels():
    """With a linear head on averages Grad-CAM is CAM: relu(sum_k w_ck A_k), up to a factor."""
    images = torch.randn(3, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    trunk, head = Net().eval(), nn.Linear(2, 4)
    asked = torch.tensor([0, 1, 3])
    found = class_activation(trunk, head, images, asked)
    with torch.no_grad():
        channels = trunk.rectify(trunk.convolution(images))
        expected = torch.einsum("bk,bkyx->byx", head.weight[asked], channels).relu()
        expected /= expected.amax((1, 2), keepdim=True).clamp(min=1e-12)
    torch.testing.assert_close(found, expected)


def test_each_image_is_asked_about_its_own_class_alone():
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    trunk, head = Net().eval(), nn.Linear(2, 2)
    both = class_activation(trunk, head, images, torch.tensor([0, 1]))
    alone = class_activation(trunk, head, images[1:], torch.tensor([1]))
    torch.testing.assert_close(both[1:], alone)
    assert not both.requires_grad


@pytest.mark.parametrize("features", ["final", "multilevel"])
def test_a_transformer_is_seen_through_the_patches_that_enter_its_blocks(features):
    """A patch whose token is taken out before every block has no part in the map."""
    torch.manual_seed(0)
    trunk = build("timm:test_vit", None, features, shape=(32, 64)).trunk
    width = 128 if features == "final" else 448
    head, images = nn.Linear(width, 3), torch.rand(2, 3, 32, 64)
    asked = torch.tensor([0, 2])
    found = class_activation(trunk, head, images, asked)
    assert found.shape == (2, 2, 4) and found.min() == 0 and found.max() == 1
    alone = class_activation(trunk, head, images[1:], asked[1:])
    torch.testing.assert_close(found[1:], alone, atol=1e-4, rtol=1e-3)
    vit = next(part for part in trunk.modules() if isinstance(part, Pooled)).trunk
    hooks = [block.register_forward_pre_hook(without_the_third) for block in vit.blocks]
    without = class_activation(trunk, head, images, asked)
    for hook in hooks:
        hook.remove()
    assert without[:, 0, 2].max() == 0 and not torch.equal(found, without)


def without_the_third(module, inputs):
    tokens = inputs[0].clone()
    tokens[:, 1 + 2] = 0  # after the class token
    return (tokens, *inputs[1:])


def test_a_network_without_a_map_says_so():
    with pytest.raises(ValueError, match="no feature map"):
        class_activation(nn.Flatten(), nn.Linear(48, 2), torch.zeros(1, 3, 4, 4), torch.tensor([0]))


def test_the_overlay_lies_where_the_network_looked():
    values = np.zeros((2, 2), np.float32)
    values[1, 1] = 1
    picture = np.asarray(overlay(values, (80, 40), ImageSpec(8, crop=(0.5, 0.0, 1.0, 1.0))))
    assert picture.shape == (40, 80, 4)
    opacity = picture[..., 3]
    assert opacity[:, :40].max() == 0
    assert opacity[35, 75] > 100
    assert opacity[5, 45] == 0


def test_the_overlay_of_a_letterbox_leaves_the_bars_out():
    values = np.zeros((4, 4), np.float32)
    values[1, 0] = values[0, 3] = 1  # in the photograph, and in the upper bar
    spec = ImageSpec(8, fit="letterbox")
    opacity = np.asarray(overlay(values, (80, 40), spec))[..., 3]
    assert opacity[2:18, 2:18].mean() > 100
    assert opacity[:, 60:].mean() < 20


def test_the_overlay_of_a_crop_lies_in_the_middle():
    opacity = np.asarray(overlay(np.ones((4, 4)), (80, 40), ImageSpec(8, fit="crop")))[..., 3]
    assert (opacity[:, 20:60] > 100).all()
    assert opacity[:, :20].max() == 0 and opacity[:, 60:].max() == 0


def test_nothing_glows_outside_the_region_of_interest():
    spec = ImageSpec(8, roi=((0, 0), (1, 0), (0, 1)))
    opacity = np.asarray(overlay(np.ones((4, 4)), (80, 40), spec))[..., 3]
    assert opacity[2, 2] > 100 and opacity[38, 78] == 0


def test_neighbours_are_the_nearest_by_angle_and_no_more_than_there_are():
    features = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    labelled = torch.tensor([[0.0, 1.0], [9.0, 1.0], [1.0, 0.0]])
    assert nearest(features, labelled, 2).tolist() == [[2, 1], [0, 1]]
    assert nearest(features, labelled[:1], 5).tolist() == [[0], [0]]
