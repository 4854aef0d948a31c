import pickle
from dataclasses import replace

import pytest
import timm
import torch
from torch import nn

from alvision.models.levels import MultiLevel, Views
from alvision.training import datamodule, fitter
from alvision.training.finetuning import (
    LEAST,
    AverageWeights,
    fast_depthwise,
    freeze_statistics,
    parameter_groups,
)
from tests.unit.training.conftest import FINETUNE, ON_CPU, state


@pytest.fixture
def pretrained(learn, tmp_path):
    """Return the settings of a network whose weights are given."""
    file = tmp_path / "weights.pt"
    torch.save(learn(FINETUNE).backbone.trunk.state_dict(), file)
    return replace(FINETUNE, weights=str(file))


def test_the_rate_falls_with_depth_and_the_first_layers_do_not_learn():
    trunk = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    groups = parameter_groups(Views(trunk, "flips"), rate=0.1, weight_decay=0.01)
    rates = {id(value): group["lr"] for group in groups for value in group["params"]}
    found = [rates.get(id(value)) for value in trunk.parameters()]
    learning = [rate for rate in found if rate is not None]
    assert found[0] is None and found[-1] == pytest.approx(0.1)
    assert learning == sorted(learning) and min(learning) >= LEAST * 0.1
    frozen = [rate is None for rate in found]
    assert frozen == sorted(frozen, reverse=True)
    assert frozen == [not value.requires_grad for value in trunk.parameters()]


def test_scales_and_biases_do_not_decay():
    groups = parameter_groups(timm.create_model("test_resnet", num_classes=0), 0.1, 0.01)
    for group in groups:
        flat = {value.ndim <= 1 for value in group["params"]}
        assert flat == {group["weight_decay"] == 0}


def test_a_trunk_without_batch_norm_or_stages_learns_too():
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    freeze_statistics(trunk)
    assert [group["lr"] for group in parameter_groups(trunk, 0.1, 0.01)] == [0.1, 0.1]


class Steps:
    """Stands for Lightning's Trainer: it counts the optimiser's steps."""

    global_step = 0


def test_the_average_is_the_mean_of_the_last_fifth_of_the_steps():
    module, steps = nn.Linear(1, 1, bias=False), Steps()
    average = AverageWeights(10)
    for step in range(1, 11):
        for _ in range(2):  # two batches a step
            nn.init.constant_(module.weight, step)
            average.on_train_batch_end(steps, module, None, None, 0)
        steps.global_step = step
        average.on_train_batch_end(steps, module, None, None, 0)
    average.on_fit_end(steps, module)
    assert module.weight.item() == 9.5


def test_other_ranks_can_be_sent_what_a_fit_needs():
    """Several devices are processes of their own, which get everything by pickle."""
    pickle.loads(pickle.dumps(AverageWeights(10)))
    layer = nn.Conv2d(2, 2, 3, groups=2)
    with fast_depthwise(layer, half=True):
        sent = pickle.loads(pickle.dumps(layer))
    with torch.autocast("cpu", torch.bfloat16):
        assert sent(torch.rand(1, 2, 4, 4)).dtype == torch.float32


def test_a_fit_that_was_stopped_before_its_average_keeps_its_weights():
    module = nn.Linear(1, 1)
    before = module.weight.item()
    AverageWeights(10).on_fit_end(Steps(), module)
    assert module.weight.item() == before


def test_depthwise_convolutions_run_in_32_bits_for_a_while():
    trunk = timm.create_model("test_efficientnet", num_classes=0).train()
    seen = []
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, inputs, out: seen.append(out.dtype))
    images = torch.rand(2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        with fast_depthwise(trunk, half=True):
            trunk(images)
        within, seen[:] = set(seen), []
        trunk(images)
    assert within == {torch.bfloat16, torch.float32} and set(seen) == {torch.bfloat16}


def test_views_are_for_inference():
    images = torch.rand(2, 3, 8, 8)
    trunk = Views(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), "flips")
    assert torch.equal(trunk.train()(images), trunk.trunk(images))
    assert not torch.allclose(trunk.eval()(images), trunk.trunk(images))


@pytest.mark.slow
def test_the_head_is_trained_before_the_trunk(learn, truth, pretrained):
    """With a rate of next to nothing the network stays what the frozen one is."""
    trainer = replace(ON_CPU, learning_rate=1e-12, augment="none")
    tuned = learn(pretrained, trainer).fit(truth, round=1).module
    frozen = learn(replace(pretrained, training="frozen"), trainer).fit(truth, round=1).module
    assert torch.allclose(tuned.head.first.weight, frozen.head.first.weight, atol=1e-6)


@pytest.mark.slow
def test_few_images_never_stop_a_fit(learn, truth, pretrained, monkeypatch):
    kept = []
    run = fitter.run
    monkeypatch.setattr(
        fitter,
        "run",
        lambda *a, **k: kept.append([type(c).__name__ for c in k["callbacks"]]) or run(*a, **k),
    )
    trainer = replace(ON_CPU, validation_share=0.4)
    learn(pretrained, trainer).fit(truth, round=1)
    monkeypatch.setattr(fitter, "ENOUGH", 5)
    learn(pretrained, trainer).fit(truth, round=1)
    # The head's fit comes before each.
    assert kept == [[], ["AverageWeights"], [], ["BestWeights"]]
    assert datamodule.ENOUGH >= 100


@pytest.mark.slow
def test_layers_that_do_not_learn_keep_their_weights(learn, truth, tmp_path):
    model = replace(FINETUNE, backbone="timm:test_efficientnet")
    file = tmp_path / "weights.pt"
    trunk = learn(model).backbone.trunk
    torch.save(trunk.state_dict(), file)
    fitted = learn(replace(model, weights=str(file))).fit(truth, round=1)
    before, after = trunk.state_dict(), state(fitted)
    changed = [not torch.equal(value, after[f"trunk.{name}"]) for name, value in before.items()]
    assert any(changed)
    statistics = [name for name in before if "running" in name]
    assert all(torch.equal(before[name], after[f"trunk.{name}"]) for name in statistics)


def test_multilevel_features_are_seen_through():
    trunk = timm.create_model("test_resnet", num_classes=0)
    wrapped = MultiLevel(trunk, ["layer2", "layer3", "layer4"])
    count = sum(len(group["params"]) for group in parameter_groups(wrapped, 0.1, 0.01))
    assert count == sum(value.requires_grad for value in trunk.parameters()) > 0
