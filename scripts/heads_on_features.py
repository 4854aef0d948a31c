"""Heads on cached features for measurements: the splits, and a fit of one head a seed at once.

The fit is that of a run's head (`alvision.training.fitter`: the class-weighted cross entropy, full
batches, AdamW, cosine decay, one drawn mask a step) for all seeds as one batched product, because a
table needs thousands of fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor
from torch.nn import functional

from alvision.config.compose import configuration
from alvision.dataset.dataset import DataSet
from alvision.evaluation.intervals import mean_interval
from alvision.inference.statistics import Statistics, measure
from alvision.training import Learner

Standardise = Callable[[Tensor], Statistics]


@dataclass(frozen=True)
class Trial:
    """One seed: a pool in the order in which its images are labelled, and what is held out."""

    seed: int
    ids: tuple[str, ...]
    pool: Tensor
    pool_targets: Tensor
    held_out: Tensor
    held_out_targets: Tensor


def trials(words: list[str], seeds: int) -> tuple[list[Trial], int]:
    """Return the seeds' trials, and the number of classes.

    Args:
        words: The configuration.
        seeds: How many; half of the groups are held out, another half for each.
    """
    config = configuration([*words, "acquisition=margin"])
    data = DataSet.open(config)
    truth = {id: t for id, t in zip(data.manifest.ids, data.manifest.truth, strict=True) if t}
    learner = Learner(
        data.manifest, data.hashes, data.classes, config.data, config.model, config.trainer, 0,
        data.groups, pool=(), progress=True,
    )  # fmt: skip
    ids, features = learner.features.initial([id for id in data.manifest.ids if id in truth])
    classes = sorted(set(truth.values()))
    targets = torch.tensor([classes.index(truth[id]) for id in ids])
    groups_of = dict(zip(data.manifest.ids, data.groups, strict=True))
    groups = np.array([groups_of[id] for id in ids])
    found = []
    for seed in range(seeds):
        halves = StratifiedGroupKFold(2, shuffle=True, random_state=seed)
        pool, out = next(halves.split(features, targets, groups))
        pool = np.random.default_rng(seed).permutation(pool)
        named = tuple(ids[row] for row in pool)
        found.append(Trial(seed, named, features[pool], targets[pool], features[out], targets[out]))
    return found, len(classes)


def standardised(trial: Trial, by: Standardise | None = None) -> Trial:
    """Return a trial with its features standardised by its pool."""
    by = by or (lambda pool: measure([((), pool)], pool.shape[1]))
    found = by(trial.pool)
    return replace(trial, pool=found(trial.pool), held_out=found(trial.held_out))


def class_shares(targets: Tensor, classes: int) -> Tensor:
    """Return the share of each label [S,n] in its loss: each class seen counts alike."""
    one_hot = functional.one_hot(targets, classes).float()
    share = (one_hot / one_hot.sum(1, keepdim=True).clamp(min=1)).sum(2)
    return share / share.sum(1, keepdim=True)


def fit(
    features: Tensor,
    labelled: Tensor,
    classes: int,
    *,
    steps: int = 80,
    rate: float = 0.01,
    dropout: float = 0.2,
    decay: float = 0.01,
    ridge: float = 0.0,
    zero: bool = False,
    q: float = 0.0,
    more: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Train a linear head for each seed.

    Args:
        features: Standardised, [S,n,D].
        labelled: Classes as integers, [S,n].
        classes: C.
        steps: Steps of AdamW.
        rate: Its peak rate, which falls to zero as a cosine.
        dropout: Probability that a feature is dropped in a step.
        decay: AdamW's weight decay.
        ridge: |W|² / 2 times this joins the loss summed over the labels.
        zero: Start at zero; else as `nn.Linear` does.
        q: Above 0: the generalised cross entropy with this exponent; 0: cross entropy.
        more: Another term of the loss, of weights and biases.

    Returns:
        Weights [S,D,C] and biases [S,1,C].
    """
    torch.manual_seed(0)
    count, labels, width = features.shape
    targets = functional.one_hot(labelled, classes).float()
    shares = class_shares(labelled, classes)
    bound = 0.0 if zero else width**-0.5
    weight = torch.empty(count, width, classes).uniform_(-bound, bound).requires_grad_()
    bias = torch.empty(count, 1, classes).uniform_(-bound, bound).requires_grad_()
    optimizer = torch.optim.AdamW([weight, bias], lr=rate, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        kept = (torch.rand(count, width, 1) < 1 - dropout).float() / (1 - dropout)
        log_p = (features @ (weight * kept) + bias).log_softmax(-1)
        cost = -torch.expm1(q * log_p) / q if q else -log_p
        loss = (shares[:, :, None] * targets * cost).sum()
        if ridge:
            loss = loss + ridge / (2 * labels) * weight.square().sum()
        if more is not None:
            loss = loss + more(weight * kept, bias)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weight.detach(), bias.detach()


def macro_f1(trial: Trial, logits: Tensor) -> float:
    """Return macro-F1 of the held-out images."""
    return float(f1_score(trial.held_out_targets, logits.argmax(1), average="macro"))


def row(name: str, found: Any, base: Any) -> str:
    """Return a table's row: means, and the paired difference to the base with its interval."""
    cells = []
    for own, other in zip(np.array(found), np.array(base), strict=True):
        by = mean_interval(own - other)
        cells.append(f"{own.mean():.3f} | {by.value:+.3f} ({by.low:+.3f}, {by.high:+.3f})")
    return f"| {name} | " + " | ".join(cells) + " |"
