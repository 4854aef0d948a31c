"""Measure which map of a transformer lies on a planted defect: the share of its mass that does.

    python scripts/measure_heatmaps.py timm:test_vit timm:test_vit3

Each network is trained whole, from random weights, on noisy images of 64 pixels of which half have
a darker square of 16. The table goes to standard output, a row for each network and seed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from alvision.explain.heatmaps import class_activation
from alvision.models.backbones import build
from alvision.models.normalised import normalise
from alvision.models.pooled import Pooled

SIDE, SPOT, COUNT, TRAINED, EPOCHS = 64, 16, 256, 200, 25


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return pixels, labels, and masks of the defects; every other image has one."""
    rng = np.random.default_rng(seed)
    values, masks = 140 + rng.normal(0, 12, (COUNT, SIDE, SIDE)), torch.zeros(COUNT, SIDE, SIDE)
    for row in range(1, COUNT, 2):
        top, left = rng.integers(2, SIDE - SPOT - 2, 2)
        values[row, top : top + SPOT, left : left + SPOT] -= 60
        masks[row, top : top + SPOT, left : left + SPOT] = 1
    pixels = torch.from_numpy(values.clip(0, 255).astype(np.uint8))
    return pixels[..., None].expand(-1, -1, -1, 3), torch.arange(COUNT) % 2, masks


def fit(trunk: nn.Module, head: nn.Module, images: Tensor, labels: Tensor) -> None:
    optimizer = torch.optim.AdamW([*trunk.parameters(), *head.parameters()], lr=1e-3)
    trunk.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(TRAINED).split(25):
            optimizer.zero_grad()
            cross_entropy(head(trunk(images[rows])), labels[rows]).backward()
            optimizer.step()
    trunk.eval()


def other_maps(trunk: Pooled, head: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return what the mean of the patches contributes, and Grad-CAM on the last block."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(output)

    norm = trunk.blocks()[-1].norm1
    hooks = [norm.register_forward_hook(keep), trunk.map.register_forward_hook(keep)]
    logits = head(trunk(images.detach().requires_grad_()))
    for hook in hooks:
        hook.remove()
    tokens, last = seen
    gradients = torch.autograd.grad(logits[:, 1].sum(), seen)
    cam = trunk.map(gradients[0]).mean((2, 3), keepdim=True) * trunk.map(tokens)
    return {"mean of the patches": (gradients[1] * last).sum(1), "Grad-CAM": cam.sum(1)}


def share(maps: Tensor, masks: Tensor) -> float:
    wide = interpolate(maps.relu().detach()[:, None], (SIDE, SIDE), mode="bicubic")[:, 0]
    wide = wide.clamp(min=0)
    return float(((wide * masks).sum((1, 2)) / wide.sum((1, 2)).clamp(min=1e-9)).mean())


def measure(name: str, seed: int) -> str:
    torch.manual_seed(seed)
    pixels, labels, masks = drawn(seed)
    backbone = build(name, None, shape=(SIDE, SIDE))
    trunk, head = backbone.trunk, nn.Linear(backbone.width, 2)
    assert isinstance(trunk, Pooled)
    images = normalise(pixels, backbone.mean, backbone.std)
    fit(trunk, head, images, labels)
    rows = torch.arange(TRAINED + 1, COUNT, 2)  # defective, and never trained on
    used = class_activation(trunk, head, images[rows], torch.ones(len(rows)).long())
    maps = {"entering the blocks": used} | other_maps(trunk, head, images[rows])
    cells = [f"{share(value, masks[rows]):.2f}" for value in maps.values()]
    return f"| {name} | {seed} | {masks[rows].mean():.2f} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print("| network | seed | chance | entering the blocks | mean of the patches | Grad-CAM |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for network in sys.argv[1:]:
        for number in range(3):
            print(measure(network, number), flush=True)
