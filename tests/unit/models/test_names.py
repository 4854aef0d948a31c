import json

import pytest

from alvision.core.errors import UserError
from alvision.models.names import own_size, resolve


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("resnet18", ("torchvision", "resnet18")),
        ("timm:resnet18", ("timm", "resnet18")),
        ("resnet18.a1_in1k", ("timm", "resnet18.a1_in1k")),
        ("convnext_small.dinov3_lvd1689m", ("timm", "convnext_small.dinov3_lvd1689m")),
        ("vit_small_patch14_dinov2.lvd142m", ("timm", "vit_small_patch14_dinov2.lvd142m")),
        ("vit_small_patch16_dinov3.lvd1689m", ("timm", "vit_small_patch16_dinov3.lvd1689m")),
        ("vit_b_16", ("torchvision", "vit_b_16")),
        ("vgg16", ("timm", "vgg16")),
        ("hf_hub:timm/resnet18.a1_in1k", ("timm", "hf-hub:timm/resnet18.a1_in1k")),
        ("local-dir:/weights/mine", ("timm", "local-dir:/weights/mine")),
    ],
)
def test_a_name_leads_to_its_library(name, found):
    assert resolve(name) == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "unknown; did you mean .*resnet18"),
        ("resnet81.a1_in1k", "unknown"),
        ("timm:tf_efficientnet_lite9", "tf_efficientnet_lite"),
        ("torchvision:tf_efficientnet_lite0", "unknown"),
        ("resnet18.a1_in2k", "resnet18 has no weights a1_in2k; it has a1_in1k"),
        ("timm:test_vit.none", "test_vit has no weights none; it has r160_in1k"),
        ("torchvision:resnet18.a1_in1k", "tags are timm's; use timm:resnet18.a1_in1k"),
        ("resnet18.", "resnet18 has no weights of an empty tag; it has a1_in1k"),
        ("alexnet", "not supported"),
        ("keras:resnet50", "before the colon goes timm, torchvision, hf_hub"),
        ("hf_hub:", "before the colon"),
        ("", "unknown"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message) as caught:
        resolve(name)
    assert "\n" not in str(caught.value)


def test_a_network_tells_the_size_that_it_was_made_for(tmp_path):
    assert own_size("vit_small_patch14_dinov2.lvd142m") == (518, 518)
    assert own_size("vit_small_patch16_dinov3.lvd1689m") == (256, 256)
    assert own_size("resnet18") == own_size("tf_efficientnet_lite0") == (224, 224)
    config = {"architecture": "test_vit", "pretrained_cfg": {"input_size": [3, 96, 160]}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert own_size(f"local-dir:{tmp_path}") == (96, 160)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("[]", "does not say its architecture"),
        ("{", "does not say its architecture"),
        ('{"architecture": 5}', "does not say its architecture"),
        ('{"architecture": "test_vit9"}', "timm knows no test_vit9"),
        ('{"architecture": "test_vit", "pretrained_cfg": []}', "pretrained_cfg is no mapping"),
    ],
)
def test_a_folder_without_timms_description_is_refused_in_one_line(content, reason, tmp_path):
    if content is not None:
        (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=reason) as caught:
        own_size(f"local-dir:{tmp_path}")
    text = str(caught.value)
    assert text.startswith("model.backbone=local-dir:") and "\n" not in text
