import copy
import pickle

import pytest
import torch
import torchvision

from alvision.core.errors import UserError
from alvision.models.backbones import build
from alvision.models.levels import stages
from alvision.models.pooled import Pooled, grid
from alvision.models.sampling import Sampled, stochastic

SMALL = [
    ("timm:test_vit", (32, 48), 128),  # a class token
    ("timm:test_vit2", (32, 32), 64),  # none, and a norm after the mean
    ("timm:test_vit3", (32, 48), 192),  # none, and its own head reads by attention
    ("timm:test_vit4", (32, 32), 96),
]
LARGE = [
    ("vit_small_patch14_dinov2.lvd142m", (56, 70), 768),
    ("vit_small_patch14_reg4_dinov2.lvd142m", (56, 56), 768),
    ("vit_small_patch16_dinov3.lvd1689m", (64, 96), 768),
    ("swin_tiny_patch4_window7_224.ms_in1k", (64, 96), 768),
    ("timm:levit_128s", (224, 224), 384),
    ("timm:mixer_s32_224", (224, 224), 512),
    ("vit_b_16", (64, 64), 1536),
]
ALL = [*SMALL, *(pytest.param(*one, marks=pytest.mark.slow) for one in LARGE)]


def noise(shape, count=2):
    return torch.rand(count, 3, *shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("name", "shape", "width"), ALL)
def test_a_transformer_gives_its_patches_mean_first(name, shape, width):
    torch.manual_seed(0)
    backbone = build(name, None, shape=shape)
    maps = []
    backbone.trunk.map.register_forward_hook(lambda m, i, o: maps.append(o))
    with torch.inference_mode():
        features = backbone.trunk(noise(shape))
    assert isinstance(backbone.trunk, Pooled)
    assert features.shape == (2, backbone.width) == (2, width)
    assert len(maps) == 1 and maps[0].shape[2] / maps[0].shape[3] == shape[0] / shape[1]
    mean = maps[0].mean((2, 3))
    after = getattr(backbone.trunk.trunk, "fc_norm", torch.nn.Identity())
    assert torch.allclose(features[:, : mean.shape[1]], after(mean), atol=1e-5)


def test_the_class_token_follows_and_is_what_timm_gives():
    backbone = build("timm:test_vit", None, shape=(32, 48))
    plain = backbone.trunk.trunk
    with torch.inference_mode():
        images = noise((32, 48))
        assert torch.allclose(backbone.trunk(images)[:, 64:], plain(images), atol=1e-6)


@pytest.mark.slow
def test_torchvisions_class_token_is_what_torchvision_gives():
    torch.manual_seed(0)
    whole = torchvision.models.vit_b_32(image_size=64).eval()
    torch.manual_seed(0)
    trunk = build("vit_b_32", None, shape=(64, 64)).trunk
    with torch.inference_mode():
        images = noise((64, 64))
        assert torch.allclose(whole.heads(trunk(images)[:, 768:]), whole(images), atol=1e-5)


def test_a_map_lies_as_the_image_does():
    """Patches are rows first: a change in the lower left corner is seen there."""
    torch.manual_seed(0)
    trunk = build("timm:test_vit", None, shape=(32, 64)).trunk
    maps, images = [], noise((32, 64), 1)
    trunk.map.register_forward_hook(lambda m, i, o: maps.append(o))
    with torch.inference_mode():
        trunk(images)
        images[:, :, 16:, :16] += 1
        trunk(images)
    change = (maps[1] - maps[0]).norm(dim=1)[0]
    assert change.shape == (2, 4)
    assert divmod(int(change.argmax()), 4) == (1, 0)


@pytest.mark.parametrize(
    ("name", "shape", "taps", "width"),
    [
        ("timm:test_vit", (32, 48), ["1", "3", "5"], 128 + 5 * 64),
        ("timm:test_vit3", (32, 32), ["2", "5", "8"], 192 + 5 * 96),
        pytest.param(
            "vit_small_patch14_dinov2.lvd142m", (56, 56), ["3", "7", "11"], 768 + 5 * 384,
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_several_depths_are_every_third_of_the_blocks(name, shape, taps, width):
    backbone = build(name, None, "multilevel", shape=shape)
    inner = backbone.trunk.trunk
    assert stages(inner, "timm", name, shape) == [f"trunk.blocks.{tap}" for tap in taps]
    with torch.inference_mode():
        assert backbone.trunk(noise(shape)).shape == (2, backbone.width) == (2, width)


@pytest.mark.slow
def test_several_depths_of_stages_that_shrink_are_the_last_three():
    backbone = build("swin_tiny_patch4_window7_224.ms_in1k", None, "multilevel", shape=(64, 64))
    assert backbone.width == 768 + 2 * (192 + 384) + 768
    inner = backbone.trunk.trunk
    assert stages(inner, "timm", "swin", (64, 64)) == [f"trunk.layers.{i}" for i in (1, 2, 3)]


@pytest.mark.slow
def test_a_network_without_stages_or_blocks_is_refused_for_several_depths():
    with pytest.raises(UserError, match="swin_t has not 3 stages or blocks that can be read"):
        build("swin_t", None, "multilevel", shape=(64, 64))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("timm:test_vit", (40, 32), "40 pixels cannot be cut into .* patches of 16; use 32 or 48"),
        ("timm:test_vit", (32, 8), "8 pixels cannot be cut into .* patches of 16; use 16"),
        ("vit_b_16", (50, 50), "50 pixels cannot be cut into vit_b_16's patches of 16"),
        ("vit_b_16", (32, 64), "takes squares"),
        (
            "timm:halonet_h1",
            (100, 100),
            "made for 256 x 256, which data.image.size=null",
        ),
    ],
)
def test_an_image_size_that_does_not_fit_is_one_line(name, shape, message):
    with pytest.raises(UserError, match=message) as caught:
        build(name, None, shape=shape)
    assert "\n" not in str(caught.value) and "data.image.size" in str(caught.value)


def test_dinov2_names_the_sizes_next_to_one_that_does_not_fit():
    with pytest.raises(UserError, match="patches of 14; use 56 or 70"):
        build("vit_small_patch14_dinov2.lvd142m", None, shape=(64, 64))


@torch.inference_mode()
def test_drop_path_of_a_transformer_is_found_and_sampled():
    torch.manual_seed(0)
    trunk = build("timm:test_vit", None, drop_path=0.5, shape=(32, 32)).trunk
    dropped = [*stochastic(trunk)]
    assert len(dropped) == 10 and all("drop_path" in name for name in dropped)  # the first has none
    features = Sampled(trunk, 6, seed=1)(noise((32, 32)))
    assert torch.allclose(features[:, 0], trunk(noise((32, 32))), atol=1e-5)
    assert len(features[0].unique(dim=0)) > 3


def test_a_trunk_is_copied_and_sent_to_other_processes():
    trunk = build("timm:test_vit", None, "multilevel", shape=(32, 32)).trunk
    twin = pickle.loads(pickle.dumps(copy.deepcopy(trunk)))
    with torch.inference_mode():
        assert torch.equal(twin(noise((32, 32))), trunk(noise((32, 32))))


def test_the_proportions_of_a_map():
    assert grid(16, (224, 224)) == (4, 4)
    assert grid(64, (32, 512)) == (2, 32)
    assert grid(15, (224, 224)) is None
