"""The leak test: would a random split let a classifier recognise the part instead of the defect?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

FOLDS = 5
REPEATS = 5
MOST_IMAGES = 4_000
"""Whole groups are drawn up to this number; the distances of so many pictures take 64 MB."""
LEAST_GROUPS = 8
"""Groups below which no verdict is given."""
BLOCKS = 20
LEAST_BLOCKS = 5
"""Runs of consecutive images that the data, and each folder, are cut into where no groups are
known: few and long, because a run shorter than a burst of one part hides what it should show."""
ALPHA = 0.01
LEAST_DROP = 0.03
"""Loss of accuracy below which a leak, though shown, is called small."""


@dataclass(frozen=True)
class Leak:
    """Accuracy of the nearest neighbour among small grey pictures, split in two ways.

    Attributes:
        random: Accuracy where images are split at random.
        grouped: Accuracy where groups are kept whole.
        chance: Share of the largest class.
        p_value: One-sided, that keeping groups whole costs nothing.
        images: Images compared.
        groups: Groups that they form.
    """

    random: float
    grouped: float
    chance: float
    p_value: float
    images: int
    groups: int

    @property
    def drop(self) -> float:
        """Return the accuracy that a random split pretends."""
        return self.random - self.grouped

    @property
    def shown(self) -> bool:
        """Tell whether the drop is both beyond chance and worth speaking of."""
        return self.p_value < ALPHA and self.drop >= LEAST_DROP


def leak(
    vectors: NDArray[np.float32], truth: Sequence[str], groups: Sequence[str], seed: int = 0
) -> Leak | None:
    """Compare nearest-neighbour accuracy under a random split with that under a grouped one.

    Both splits have 5 folds dealt out class by class and are drawn 5 times, so every image is
    classified equally often by both. The difference is tested by groups, not by images: Student's
    t of the group sums, one-sided. Classes that are in a single group cannot be tested and are
    left out.

    Args:
        vectors: Unit vectors [N, D]; nearest is the largest inner product.
        truth: The class of each image.
        groups: The group of each image.
        seed: Of the splits.

    Returns:
        None where fewer than 2 classes or `LEAST_GROUPS` groups are left, or every image is a
        group of its own.
    """
    label_of = np.unique(np.asarray(truth), return_inverse=True)[1]
    group_of = np.unique(np.asarray(groups), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    rows = _usable(label_of, group_of, rng)
    vectors, label_of = vectors[rows], label_of[rows]
    group_of = np.unique(group_of[rows], return_inverse=True)[1]
    count = int(group_of.max(initial=-1)) + 1
    if count < LEAST_GROUPS or count == len(rows) or len(np.unique(label_of)) < 2:
        return None
    likeness = vectors @ vectors.T
    images = np.arange(len(rows))
    right = np.zeros((2, len(rows)))
    for _ in range(REPEATS):
        for kind, units in enumerate((images, group_of)):
            fold = _deal(units, label_of, rng)
            neighbour = _nearest_outside(likeness, fold)
            right[kind] += label_of[neighbour] == label_of
    right /= REPEATS
    return Leak(
        random=float(right[0].mean()),
        grouped=float(right[1].mean()),
        chance=float(np.bincount(label_of).max() / len(rows)),
        p_value=_cluster_test(right[0] - right[1], group_of),
        images=len(rows),
        groups=count,
    )


def file_order_blocks(folders: Sequence[str]) -> list[str]:
    """Name runs of consecutive images of one folder: `BLOCKS` in all, `LEAST_BLOCKS` in each.

    Neighbouring files are often of one part or one shift, so that such runs stand in
    for groups that nobody has named.

    >>> file_order_blocks(["a"] * 40)[::10]
    ['a|0', 'a|5', 'a|10', 'a|15']
    """
    total = Counter(folders)
    blocks = max(LEAST_BLOCKS, BLOCKS // max(1, len(total)))
    seen: Counter[str] = Counter()
    names = []
    for folder in folders:
        names.append(f"{folder}|{seen[folder] * blocks // total[folder]}")
        seen[folder] += 1
    return names


def _usable(
    label_of: NDArray[np.intp], group_of: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    pairs = np.unique(np.stack([label_of, group_of], axis=1), axis=0)
    groups_of_label = np.bincount(pairs[:, 0])
    rows = np.flatnonzero(groups_of_label[label_of] >= 2)
    if len(rows) <= MOST_IMAGES:
        return rows
    order = rng.permutation(group_of.max() + 1)
    sizes = np.bincount(group_of[rows], minlength=len(order))
    chosen = order[np.cumsum(sizes[order]) <= MOST_IMAGES]
    return rows[np.isin(group_of[rows], chosen)]


def _deal(
    units: NDArray[np.intp], label_of: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Deal units, in random order within their most frequent class, round the folds."""
    table = np.zeros((units.max() + 1, label_of.max() + 1))
    np.add.at(table, (units, label_of), 1)
    order = np.lexsort((rng.random(len(table)), table.argmax(axis=1)))
    fold = np.empty(len(table), dtype=np.intp)
    fold[order] = np.arange(len(table)) % FOLDS
    return fold[units]


def _nearest_outside(likeness: NDArray[np.float32], fold: NDArray[np.intp]) -> NDArray[np.intp]:
    nearest = np.empty(len(fold), dtype=np.intp)
    for number in range(FOLDS):
        held_out, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        nearest[held_out] = train[likeness[np.ix_(held_out, train)].argmax(axis=1)]
    return nearest


def _cluster_test(difference: NDArray[np.float64], group_of: NDArray[np.intp]) -> float:
    sizes = np.bincount(group_of)
    mean = difference.mean()
    residual = np.bincount(group_of, weights=difference) - mean * sizes
    groups = len(sizes)
    error = np.sqrt(groups / (groups - 1) * (residual**2).sum()) / sizes.sum()
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(student.sf(mean / error, groups - 1))
