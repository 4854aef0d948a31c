import copy

import pytest
import torch

from alvision.core.errors import UserError
from alvision.models import patches
from alvision.models.backbones import build
from alvision.models.patches import WithPatches


def noise(shape, count=2):
    return torch.rand(count, 3, *shape, generator=torch.Generator().manual_seed(3))


def read(name, shape, **options):
    torch.manual_seed(0)
    backbone = build(name, None, shape=shape, **options)
    return backbone, WithPatches(backbone.trunk, name, shape).eval()


@pytest.mark.parametrize(
    ("name", "options", "grid"),
    [
        ("timm:test_resnet", {"features": "multilevel"}, (8, 12)),
        ("timm:test_resnet", {"features": "final"}, (8, 12)),
        ("timm:test_vit", {}, (2, 3)),
    ],
)
def test_the_features_stay_what_they_were_and_places_follow(name, options, grid):
    backbone, both = read(name, (64, 96) if "vit" not in name else (32, 48), **options)
    images = noise((64, 96) if "vit" not in name else (32, 48))
    with torch.inference_mode():
        expected, found = backbone.trunk(images), both(images)
    assert both.grid == grid
    assert torch.equal(found[:, : backbone.width], expected)
    assert found.shape == (2, backbone.width + grid[0] * grid[1] * both.width)


def test_places_are_the_local_means_of_the_two_stages_before_the_last():
    backbone, both = read("timm:test_resnet", (64, 64))
    kept = {}
    for name in ("layer2", "layer3"):
        backbone.trunk.get_submodule(name).register_forward_hook(
            lambda m, i, o, name=name: kept.update({name: o})
        )
    with torch.inference_mode():
        found = both(noise((64, 64)))[:, backbone.width :].unflatten(1, (*both.grid, both.width))
        backbone.trunk(noise((64, 64)))
    fine = kept["layer2"]
    assert both.grid == tuple(fine.shape[2:])
    corner = fine[:, :, :2, :2].mean((2, 3)) @ patches._projection(fine.shape[1])
    assert torch.allclose(found[:, 0, 0, : corner.shape[1]], corner, atol=1e-5)
    middle = fine[:, :, :3, 1:4].mean((2, 3)) @ patches._projection(fine.shape[1])
    assert torch.allclose(found[:, 1, 2, : corner.shape[1]], middle, atol=1e-5)


def test_of_several_views_the_plain_one_is_read():
    _, plain = read("timm:test_resnet", (32, 32))
    backbone, flipped = read("timm:test_resnet", (32, 32), views="flips")
    with torch.inference_mode():
        assert torch.equal(
            flipped(noise((32, 32)))[:, backbone.width :],
            plain(noise((32, 32)))[:, backbone.width :],
        )


def test_nobody_listens_to_the_trunk_that_others_run_and_a_copy_listens_to_itself():
    backbone, both = read("timm:test_resnet", (32, 32))
    assert not any(module._forward_hooks for module in backbone.trunk.modules())
    with torch.inference_mode():
        assert torch.equal(copy.deepcopy(both)(noise((32, 32))), both(noise((32, 32))))


def test_a_network_without_stages_is_refused():
    with pytest.raises(UserError, match="stages or blocks"):
        WithPatches(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2)), "flat", (1, 1))
