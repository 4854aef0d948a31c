"""Labelled images as batches for training the whole net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from alvision.data.threads import ordered_map
from alvision.models.normalised import normalise
from alvision.training.augment import Augment

LEAST_STEPS = 10
"""Steps of an epoch at least: from twenty labels, one step an epoch would teach nothing."""

ENOUGH = 200
"""Images that early stopping needs: the loss of fewer follows chance, and stops a fit anywhere."""


@dataclass(frozen=True)
class Examples:
    """Decoded images and their classes; only labelled ones, so they fit in memory.

    Attributes:
        images: uint8 [H,W,3] each, all of one size.
        targets: Classes as integers.
    """

    images: Sequence[np.ndarray]
    targets: Sequence[int]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def take(self, rows: Sequence[int]) -> Examples:
        """Return some of the examples."""
        return Examples([self.images[i] for i in rows], [self.targets[i] for i in rows])


def hold_out(
    groups: Sequence[str], targets: Sequence[int], share: float, generator: torch.Generator
) -> tuple[list[int], list[int]] | None:
    """Choose whole groups for early stopping, so that both parts hold every class.

    Args:
        groups: The group of each labelled image.
        targets: The class of each labelled image.
        share: Share of the images to hold out, roughly.
        generator: Where the order of the groups comes from.

    Returns:
        Rows to train on and rows to validate on, or None where the labels are too few for that.

    >>> hold_out(["a", "b"], [0, 1], 0.5, torch.Generator()) is None
    True
    """
    names = sorted(set(groups))
    classes = set(targets)
    wanted = round(share * len(targets))
    if wanted < max(1, len(classes)):
        return None
    for _ in range(20):
        held: set[str] = set()
        validation: list[int] = []
        for place in torch.randperm(len(names), generator=generator).tolist():
            if len(validation) >= wanted:
                break
            held.add(names[place])
            validation = [i for i, group in enumerate(groups) if group in held]
        train = [i for i, group in enumerate(groups) if group not in held]
        sides = [{targets[i] for i in rows} for rows in (train, validation)]
        if sides == [classes, classes] and len(train) >= len(validation):
            return train, validation
    return None


def rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many train together; (0, 1) where one does."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


class Batches:
    """Batches of normalised images, decoded already, augmented in threads while the net trains.

    Where several ranks train together, each has its part of the same training batches, and all of
    the validation batches.

    Args:
        examples: What to draw from.
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.
        batch_size: Images a batch, at most.
        workers: Threads that augment.
        augment: None: in order, unchanged, each once.
        generator: Order and augmentation, for training; each epoch draws anew.
    """

    def __init__(
        self,
        examples: Examples,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        workers: int,
        augment: Augment | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.examples = examples
        self.mean, self.std = mean, std
        self.batch_size = batch_size
        self.workers = workers
        self.augment = augment
        self.generator = generator

    def __getstate__(self) -> dict[str, Any]:
        """Give another rank the seed of a generator that nothing was drawn from, not its state.

        The state would be a tensor whose memory is gone before the rank can look at it.
        """
        seed = None if self.generator is None else self.generator.initial_seed()
        return {**vars(self), "generator": seed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the generator again."""
        seed = state["generator"]
        vars(self).update(state)
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        batches = -(-len(self.examples) // self.batch_size)
        return batches if self.generator is None else max(batches, LEAST_STEPS)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images [B,3,H,W] and targets [B] of one epoch."""
        rows, seeds = self._order()
        parts = np.array_split(np.arange(len(rows)), len(self))
        if self.generator is not None:
            rank, world = rank_and_world()
            parts = [part[rank::world] for part in parts]
        tasks = [(rows[i], seeds[i]) for part in parts for i in part]
        images = ordered_map(self._image, tasks, workers=self.workers, ahead=2 * self.batch_size)
        for part in parts:
            pixels = np.stack([next(images) for _ in part])
            targets = torch.tensor([self.examples.targets[rows[i]] for i in part])
            yield normalise(torch.from_numpy(pixels), self.mean, self.std), targets

    def _order(self) -> tuple[list[int], list[int]]:
        count = len(self.examples)
        if self.generator is None:
            return list(range(count)), [0] * count
        # Every batch is full: the last of an epoch, and those of few examples, repeat some, since
        # batch norm cannot learn from a batch of one, on any rank.
        least = 2 * rank_and_world()[1]
        total = len(self) * max(min(self.batch_size, count), least)
        orders = [
            torch.randperm(count, generator=self.generator) for _ in range(-(-total // count))
        ]
        rows = torch.cat(orders)[:total].tolist()
        seeds = torch.randint(0, 2**31, (len(rows),), generator=self.generator).tolist()
        return rows, seeds

    def _image(self, task: tuple[int, int]) -> np.ndarray:
        row, seed = task
        image = self.examples.images[row]
        return image if self.augment is None else self.augment(image, seed)


@dataclass(frozen=True)
class Repeated:
    """One batch again and again: an epoch of full-batch steps.

    Attributes:
        batch: Inputs and targets.
        steps: How many times.
    """

    batch: tuple[Tensor, Tensor]
    steps: int

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batch `steps` times."""
        return repeat(self.batch, self.steps)


class LabelledImages(lightning.LightningDataModule):
    """Training and, where there is one, validation batches.

    Args:
        train: Batches to learn from.
        validation: Batches for early stopping; None: there is none.
    """

    def __init__(self, train: Batches, validation: Batches | None) -> None:
        super().__init__()
        self.train = train
        self.validation = validation

    def train_dataloader(self) -> Batches:
        """Return the training batches."""
        return self.train

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validation batches, or an empty list."""
        return self.validation or []
