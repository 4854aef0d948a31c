"""Weights are found under whatever a training put around them, and what was taken off is told."""

import argparse
import json
import logging

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from alvision.core.errors import UserError
from alvision.models import weights
from alvision.models.backbones import build

NAME, SHAPE = "timm:test_vit", (32, 32)
"""A transformer of six blocks with patches of 16 pixels."""


def vit(side=32, **more):
    torch.manual_seed(1)
    return timm.create_model("test_vit", img_size=side, num_classes=10, **more)


def prefixed(prefix, state):
    return {f"{prefix}{key}": value for key, value in state.items()}


def taken(path, network, **options):
    """Build a trunk with the weights of a file and compare every tensor with the network's."""
    trunk = build(NAME, str(path), shape=SHAPE, **options).trunk.trunk
    expected = network.state_dict()
    return all(torch.equal(value, expected[key]) for key, value in trunk.state_dict().items())


AROUND = {
    "plain": (lambda s: s, ""),
    "state_dict": (lambda s: {"state_dict": s, "epoch": 3}, "in state_dict"),
    "model": (lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)}, "in model"),
    "DataParallel": (lambda s: prefixed("module.", s), "under module."),
    "Lightning": (
        lambda s: {"state_dict": prefixed("model.module.", s), "global_step": 1},
        "in state_dict under model.module.",
    ),
    "lightly": (
        lambda s: {"state_dict": prefixed("backbone.", s) | {"head.w": torch.zeros(3)}},
        "in state_dict under backbone.",
    ),
    "DINO": (
        lambda s: {
            "student": prefixed("module.backbone.", {k: v + 1 for k, v in s.items()}),
            "teacher": prefixed("backbone.", s),
        },
        "in teacher under backbone.",
    ),
    "averaged": (
        lambda s: {"model": {k: v + 1 for k, v in s.items()}, "model_ema": s},
        "in model_ema",
    ),
    "teacher beside": (
        lambda s: (
            prefixed("student_backbone.", {k: v + 1 for k, v in s.items()})
            | prefixed("teacher_backbone.", s)
        ),
        "under teacher_backbone.",
    ),
}


@pytest.mark.parametrize("kind", AROUND)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_a_training_puts_around_is_found_and_told(kind, suffix, tmp_path, caplog):
    network, (around, told) = vit(), AROUND[kind]
    content, path = around(network.state_dict()), tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        if not all(isinstance(value, torch.Tensor) for value in content.values()):
            pytest.skip("safetensors holds no mappings")
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)
    with caplog.at_level(logging.WARNING):
        assert taken(path, network)
    assert [r.getMessage() for r in caplog.records] == (
        [f"model.weights={path}: all 78 tensors found {told}"] if told else []
    )


def test_a_sequence_of_the_parts_is_found_by_number(tmp_path, caplog):
    """As lightly's examples make a backbone: all children but the classifier, in a row."""
    network = torchvision.models.resnet18()
    rest = nn.Sequential(*list(network.children())[:-1])
    path = tmp_path / "weights.ckpt"
    torch.save({"state_dict": prefixed("backbone.", rest.state_dict())}, path)
    for name in ("resnet18", "timm:resnet18"):
        trunk = build(name, str(path), shape=SHAPE).trunk
        assert torch.equal(trunk.layer4[1].conv2.weight, network.layer4[1].conv2.weight)
        assert torch.equal(trunk.bn1.running_var, network.bn1.running_var)
    assert "in state_dict under backbone. by number" in caplog.text


def test_position_embeddings_of_another_size_are_resampled(tmp_path, caplog):
    network, path = vit(side=64), tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    trunk = build(NAME, str(path), shape=SHAPE).trunk.trunk
    assert trunk.pos_embed.shape == (1, 5, 64) and network.pos_embed.shape == (1, 17, 64)
    assert torch.equal(trunk.blocks[5].mlp.fc2.weight, network.blocks[5].mlp.fc2.weight)
    assert torch.equal(trunk.cls_token, network.cls_token)
    assert "in another form" in caplog.text


@pytest.mark.slow
def test_the_authors_names_of_dinov2_are_known(tmp_path, caplog):
    """Their file has a mask token and a position for each patch of 518 pixels."""
    network = timm.create_model("vit_small_patch14_dinov2.lvd142m", num_classes=0)
    state = {**network.state_dict(), "mask_token": torch.zeros(1, 384)}
    torch.save({"teacher": prefixed("backbone.", state)}, tmp_path / "dinov2.pth")
    path = str(tmp_path / "dinov2.pth")
    trunk = build("vit_small_patch14_dinov2.lvd142m", path, shape=(56, 70)).trunk.trunk
    assert trunk.pos_embed.shape == (1, 1 + 4 * 5, 384)
    assert torch.equal(trunk.blocks[3].ls1.gamma, network.blocks[3].ls1.gamma)
    assert "in teacher under backbone. in another form" in caplog.text


@pytest.mark.slow
def test_the_authors_names_of_dinov3_are_known(tmp_path, caplog):
    network = timm.create_model("vit_small_patch16_dinov3.lvd1689m", num_classes=0)
    names = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    state = {}
    for key, value in network.state_dict().items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        state[key] = value.clone()
    state |= {"mask_token": torch.zeros(1, 384), "rope_embed.periods": torch.ones(16)}
    torch.save(state, tmp_path / "dinov3.pth")
    trunk = build(
        "vit_small_patch16_dinov3.lvd1689m", str(tmp_path / "dinov3.pth"), shape=(64, 64)
    ).trunk.trunk
    assert torch.equal(trunk.reg_token, network.reg_token)
    assert torch.equal(trunk.blocks[7].gamma_2, network.blocks[7].gamma_2)
    assert "in another form" in caplog.text


def test_a_checkpoint_of_another_network_says_how_much_fits_and_names_three(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model("test_vit2", img_size=32).state_dict(), path)
    with pytest.raises(UserError) as caught:
        build(NAME, str(path), shape=SHAPE)
    text = str(caught.value)
    assert "does not fit timm:test_vit: 75 of 78 tensors match" in text
    assert text.endswith("and not cls_token, norm.weight, norm.bias")
    assert "\n" not in text
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), path)
    with pytest.raises(UserError, match="0 of 78 tensors match, and not cls_token, pos_embed, "):
        build(NAME, str(path), shape=SHAPE)


def test_a_tensor_of_another_shape_is_told_with_both(tmp_path):
    state, path = vit().state_dict(), tmp_path / "weights.pth"
    state["norm.bias"] = torch.zeros(65)
    torch.save(state, path)
    with pytest.raises(UserError, match=r"77 of 78 .*not norm.bias \(\[65\] there, \[64\] here\)"):
        build(NAME, str(path), shape=SHAPE)


def test_a_missing_or_unsafe_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        build(NAME, str(tmp_path / "none.pt"), shape=SHAPE)
    whole = tmp_path / "pickled.pt"
    torch.save(nn.Linear(1, 1), whole)
    with pytest.raises(UserError, match="read safely"):
        build(NAME, str(whole), shape=SHAPE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="the folder has none of model"):
        build(NAME, str(tmp_path / "empty"), shape=SHAPE)


def folder(place, mean):
    """Write a folder as timm and the hub do."""
    place.mkdir(parents=True)
    network = vit()
    save_file(network.state_dict(), place / "model.safetensors")
    described = {"mean": mean, "std": [0.2, 0.2, 0.2], "input_size": [3, 32, 32]}
    config = {"architecture": "test_vit", "num_classes": 10, "pretrained_cfg": described}
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return network


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return the cache of a hub that is offline, with one model in it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place, commit = tmp_path / "models--plant--vit", "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit, encoding="utf-8")
    return folder(place / "snapshots" / commit, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("how", ["the network", "its weights", "a folder", "a folder's weights"])
def test_a_hub_or_folder_brings_its_normalisation(how, hub, tmp_path):
    place = next(tmp_path.glob("models--*/snapshots/*"))
    name, given = {
        "the network": ("hf_hub:plant/vit", "auto"),
        "its weights": (NAME, "hf_hub:plant/vit"),
        "a folder": (f"local-dir:{place}", "auto"),
        "a folder's weights": (NAME, str(place)),
    }[how]
    backbone = build(name, given, shape=SHAPE)
    assert backbone.mean == (0.1, 0.2, 0.3) and backbone.std == (0.2, 0.2, 0.2)
    trunk = backbone.trunk.trunk.state_dict()
    assert all(torch.equal(value, hub.state_dict()[key]) for key, value in trunk.items())


def test_the_fingerprint_knows_of_a_normalisation_that_is_not_the_names(tmp_path):
    for number, mean in enumerate(([0.1, 0.2, 0.3], [0.3, 0.2, 0.1])):
        folder(tmp_path / str(number), mean)
    one, other = (build(NAME, str(tmp_path / n), shape=SHAPE) for n in "01")
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("name", "given", "what"),
    [
        ("hf_hub:plant/gone", "auto", "the description of hf_hub:plant/gone could not be had"),
        ("hf_hub:plant/gone", None, "the description of hf_hub:plant/gone could not be had"),
        (NAME, "hf_hub:plant/gone", "model.weights=hf_hub:plant/gone could not be had"),
        (NAME, "auto", "the weights of timm:test_vit could not be had"),
    ],
)
def test_what_a_hub_does_not_give_is_one_line_with_a_way_out(name, given, what, hub):
    with pytest.raises(UserError) as caught:
        build(name, given, shape=SHAPE)
    text = str(caught.value)
    assert text.startswith(what) and "model.weights=/path/to/file" in text and "\n" not in text


def test_a_download_is_never_unpickled(monkeypatch):
    """timm is asked for tensors only."""
    asked = {}

    def state(address, weights_only):
        asked[address] = weights_only
        return vit().state_dict()

    monkeypatch.setattr(weights.timm.models, "load_state_dict_from_hf", state)
    monkeypatch.setattr(weights.timm.models, "load_model_config_from_hf", lambda a: ({}, "", {}))
    build(NAME, "hf_hub:a/b", shape=SHAPE)
    assert asked == {"a/b": True}
