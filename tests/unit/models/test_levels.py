import copy

import pytest
import torch

from alvision.core.errors import UserError
from alvision.models.backbones import build
from alvision.models.levels import VIEWS, MultiLevel, Views, stages

NETWORKS = [
    ("mobilenet_v3_small", ["features.3", "features.8", "features.11"], 576 + 2 * (24 + 48 + 96)),
    ("shufflenet_v2_x0_5", ["stage2", "stage3", "stage4"], 1024 + 2 * (48 + 96 + 192)),
    ("timm:test_convnext", ["stages.1", "stages.2", "stages.3"], 64 + 2 * (32 + 48 + 64)),
    *(
        pytest.param(*network, marks=pytest.mark.slow)
        for network in (
            ("resnet18", ["layer2", "layer3", "layer4"], 1792),
            ("tf_efficientnet_lite0", ["blocks.2", "blocks.4", "blocks.6"], 2224),
            ("regnet_y_400mf", [f"trunk_output.block{i}" for i in (2, 3, 4)], 1504),
            ("mnasnet0_5", ["layers.9", "layers.11", "layers.13"], 1744),
            ("densenet121", [f"features.denseblock{i}" for i in (2, 3, 4)], 6144),
            ("convnext_tiny", ["features.3", "features.5", "features.7"], 3456),
            ("efficientnet_b0", ["features.3", "features.5", "features.7"], 2224),
            ("timm:densenet121", ["features.denseblock2", "features.denseblock3", "features.norm5"],
             5120),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "taps", "width"), NETWORKS)
def test_a_family_tells_its_last_stages(name, taps, width):
    backbone = build(name, None, features="multilevel")
    inner = backbone.trunk.trunk
    assert stages(inner, "timm" if ":" in name or "tf_" in name else "torchvision", name) == taps
    with torch.inference_mode():
        features = backbone.trunk(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, backbone.width) == (2, width)


def test_the_parts_are_pooled_stages():
    torch.manual_seed(0)
    trunk = build("timm:test_resnet", None).trunk
    read, images = MultiLevel(trunk, ["layer3", "layer4"]).eval(), torch.rand(2, 3, 32, 32)
    kept = {}
    for name in ("layer3", "layer4"):
        trunk.get_submodule(name).register_forward_hook(
            lambda m, i, o, name=name: kept.update({name: o})
        )
    with torch.inference_mode():
        features, pooled = read(images), trunk(images)
    third, fourth = kept["layer3"], kept["layer4"]
    # The mean of layer4 is what the trunk returns.
    parts = [pooled, third.mean((2, 3)), third.amax((2, 3)), fourth.amax((2, 3))]
    assert torch.allclose(features, torch.cat(parts, dim=1), atol=1e-5)


def test_a_copy_reads_its_own_stages():
    trunk = build("timm:test_resnet", None, features="multilevel").trunk
    twin = copy.deepcopy(trunk)
    with torch.no_grad():
        for weight in trunk.parameters():
            weight.zero_()
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert twin(images).abs().sum() > 0
        assert trunk(images).abs().sum() == 0


def test_a_network_without_three_stages_is_refused_by_name():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    with pytest.raises(UserError, match=r"shallow has not 3 stages.*features=final"):
        stages(network, "torchvision", "shallow")


@pytest.mark.parametrize(("kind", "count"), [("flips", 4), ("flips_and_turns", 8)])
def test_views_make_features_blind_to_how_the_part_lies(kind, count):
    assert len(VIEWS[kind]) == len(set(VIEWS[kind])) == count
    torch.manual_seed(0)
    trunk = build("timm:test_resnet", None, views=kind).trunk
    images = torch.rand(2, 3, 32, 32)
    lain = [images.flip(2), images.flip(3), images.flip((2, 3))]
    lain += [images.rot90(1, (2, 3)), images.transpose(2, 3)] if count == 8 else []
    with torch.inference_mode():
        features = trunk(images)
        assert all(torch.allclose(trunk(view), features, atol=1e-4) for view in lain)
        plain = trunk.trunk(images)
    assert isinstance(trunk, Views) and not torch.allclose(plain, features, atol=1e-3)


def test_each_kind_of_features_has_a_fingerprint_of_its_own():
    prints = set()
    for features in ("final", "multilevel"):
        for views in VIEWS:
            torch.manual_seed(0)
            prints.add(build("timm:test_resnet", None, features, views).fingerprint)
    assert len(prints) == 6
    torch.manual_seed(0)
    assert build("timm:test_resnet", None).fingerprint in prints
