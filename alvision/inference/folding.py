"""Batch normalisation folded into the convolutions before it: fewer passes over memory."""

from __future__ import annotations

import copy
from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def folded(trunk: nn.Module, shape: tuple[int, int]) -> nn.Module:
    """Return a trunk for inference without the batch normalisations that follow a convolution.

    In eval mode `bn(conv(x))` is a convolution with weight W·g and bias (b - m)·g + β, where
    g = γ/sqrt(v + ε). Which normalisation follows which convolution is seen in a run on noise;
    a pair counts only if neither meets another. What the normalisation module does besides
    (timm puts the activation inside) stays. The result must give the outputs of the trunk, within
    rounding, or the trunk itself is returned.

    Args:
        trunk: Any module that maps images [1,3,H,W] to a tensor, in eval mode; it is not changed.
        shape: Height and width of the images, in pixels.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in trunk.modules()):
        return trunk
    device = next((p.device for p in trunk.parameters()), torch.device("cpu"))
    noise = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    pairs, expected = _pairs(trunk, noise)
    if not pairs:
        return trunk
    changed = copy.deepcopy(trunk)
    for name, before in pairs.items():
        norm, conv = changed.get_submodule(name), changed.get_submodule(before)
        assert isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d)
        assert norm.running_mean is not None and norm.running_var is not None
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps,
            norm.weight, norm.bias,
        )  # fmt: skip
        parent, _, leaf = name.rpartition(".")
        setattr(changed.get_submodule(parent), leaf, getattr(norm, "act", nn.Identity()))
    with torch.inference_mode():
        found = changed(noise)
    error = (found - expected).norm() / expected.norm().clamp(min=1e-12)
    return changed if error < 1e-4 else trunk


def _pairs(trunk: nn.Module, images: Tensor) -> tuple[dict[str, str], Tensor]:
    """Return the convolution before each normalisation that can be folded, and the features."""
    made: dict[int, tuple[str, Tensor]] = {}  # with the tensor: while it lives, its id is its own
    met: dict[str, list[str | None]] = {}
    calls: Counter[str] = Counter()

    def note(name: str, output: Tensor) -> None:
        made[id(output)] = name, output
        calls[name] += 1

    hooks = []
    for name, module in trunk.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(
                module.register_forward_hook(lambda _, __, output, name=name: note(name, output))
            )
        elif isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            hooks.append(
                module.register_forward_pre_hook(
                    lambda _, given, name=name: met.setdefault(name, []).append(
                        made.get(id(given[0]), (None,))[0]
                    )
                )
            )
    try:
        with torch.inference_mode():
            features = trunk(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        norm: before[0]
        for norm, before in met.items()
        if before[0] is not None and before == [before[0]] * calls[before[0]]
    }, features
