import pytest
import torch

from alvision.deploy.bundle.network import Deployed
from alvision.models import backbones
from alvision.models.heads import Head
from alvision.models.pair import HeadPair, TrunkPair

SIDE = 64


def deployed(name="timm:test_resnet", features="final", **head):
    torch.manual_seed(0)
    backbone = backbones.build(name, weights=None, features=features)
    made = Head(backbone.width, 3, **head)
    made.standardise(torch.rand(backbone.width), torch.rand(backbone.width) + 0.5)
    return Deployed(backbone.trunk, made, backbone.mean, backbone.std, (SIDE, SIDE))


def pixels(n=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", ["timm:test_resnet", "resnet18", "timm:test_efficientnet"])
def test_a_class_map_adds_up_to_its_logit(name):
    network = deployed(name)
    with torch.inference_mode():
        logits, features, maps = network(pixels())
        again = network.head(features)
    assert network.of_classes
    assert maps.shape[:2] == (2, 3) and maps.shape[-1] > 1
    bias = network.head.first.bias.detach()
    assert torch.allclose(maps.mean((2, 3)) + bias, logits, atol=1e-3)
    assert torch.allclose(logits, again)


def test_several_depths_have_the_map_of_the_last():
    network = deployed(features="multilevel")
    with torch.inference_mode():
        _, features, maps = network(pixels())
        width = network.head.first.weight.shape[1]
        assert network.of_classes and width > 96
        share = network.head.standard(features)[:, :96] @ network.head.first.weight[:, :96].T
    assert torch.allclose(maps.mean((2, 3)), share, atol=1e-3)


def test_a_hidden_layer_has_no_map_of_a_class():
    network = deployed(hidden=8)
    with torch.inference_mode():
        assert network(pixels())[2].shape[1] == 1
    assert not network.of_classes


@pytest.mark.parametrize("shape", [(32, 128), (128, 32)])
def test_a_strip_has_a_map_of_its_own_proportions(shape):
    torch.manual_seed(0)
    backbone = backbones.build("timm:test_resnet", weights=None, features="final")
    network = Deployed(backbone.trunk, Head(backbone.width, 3), backbone.mean, backbone.std, shape)
    with torch.inference_mode():
        maps = network(torch.zeros(1, *shape, 3, dtype=torch.uint8))[2]
    rows, columns = maps.shape[2:]
    assert rows * shape[1] == columns * shape[0] and max(rows, columns) > 1


def test_every_image_is_on_its_own_and_nothing_is_random():
    network = deployed(dropout=0.5)
    with torch.inference_mode():
        together = network(pixels(4))[0]
        alone = torch.cat([network(one)[0] for one in pixels(4).split(1)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("features", ["final", "multilevel"])
def test_a_transformers_class_map_is_the_patches_share(features):
    network = deployed("timm:test_vit", features)
    with torch.inference_mode():
        logits, found, maps = network(pixels())
        share = (found[:, :64] - network.head.mean[:64]) @ (
            network.head.first.weight[:, :64] * network.head.gain[:64]
        ).T
    assert network.of_classes and maps.shape == (2, 3, SIDE // 16, SIDE // 16)
    assert torch.allclose(maps.mean((2, 3)), share, atol=1e-3)
    assert torch.isfinite(logits).all()


def test_a_network_without_any_map_has_an_empty_one():
    trunk = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 8))
    network = Deployed(trunk, Head(8, 3), (0.5,) * 3, (0.5,) * 3, (SIDE, SIDE))
    with torch.inference_mode():
        maps = network(pixels())[2]
    assert maps.shape == (2, 1, 1, 1) and not maps.any()


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_vit"])
@pytest.mark.parametrize("hidden", [0, 8])
def test_the_map_of_two_networks_is_the_mean_of_both_maps(name, hidden):
    first, second = deployed(name, hidden=hidden), deployed(name, hidden=hidden)
    with torch.no_grad():
        for value in (*second.trunk.parameters(), *second.head.parameters()):
            value.add_(0.02)  # as finetuning would
    trunk, head = TrunkPair(first.trunk, second.trunk), HeadPair(first.head, second.head)
    both = Deployed(trunk, head, first.mean, first.std, (SIDE, SIDE))
    with torch.inference_mode():
        logits, features, maps = both(pixels())
        mine, other = first(pixels()), second(pixels())
    assert both.of_classes == (hidden == 0) and not torch.allclose(mine[2], other[2], rtol=0.01)
    assert torch.allclose(maps, (mine[2] + other[2]) / 2, atol=1e-4)
    assert torch.allclose(features, torch.cat([mine[1], other[1]], dim=1), atol=1e-4)
    mean = (mine[0].softmax(1) + other[0].softmax(1)) / 2
    assert torch.allclose(logits.softmax(1), mean, atol=1e-4)
