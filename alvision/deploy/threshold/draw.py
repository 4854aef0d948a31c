"""Draw independent parts from lots of any size, each part with the same chance.

Parts of one lot are alike, so a proof may count a lot once. One part of *every* lot would let a lot
of sixty bad parts weigh as much as a lot with a single one, and a rate of such parts is not the
rate of the parts that a line sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alvision.core.seeding import derive


def draw_independent(groups: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Draw at most one row of each group, every row with the chance 1 / (size of the largest).

    A group of n rows is drawn with the chance n / largest, and then one of its rows. So if the
    groups are a random sample, the drawn rows are independent draws from all rows of all groups of
    up to that size (rejection sampling). Groups of equal size give one row each.

    Args:
        groups: The group of each row, [N].
        rng: The generator that draws.

    Returns:
        Row numbers, ascending.

    >>> draw_independent(["b", "a", "b", "a"], np.random.default_rng(0)).tolist()
    [2, 3]
    """
    if not len(groups):
        return np.empty(0, dtype=np.int64)
    _, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sizes = np.bincount(group)
    member = rng.integers(sizes.max(), size=len(sizes))
    drawn = member < sizes
    first = np.cumsum(sizes) - sizes
    rows = np.argsort(group, kind="stable")[(first + member)[drawn]]
    return np.sort(rows)


def seal_generator() -> np.random.Generator:
    """Return the generator that draws among sealed images, always the same.

    A new draw for each request would let somebody ask until a lucky one comes.
    """
    return np.random.default_rng(derive(0, "seal"))


def independent_parts(groups: Mapping[str, str]) -> int:
    """Count the sealed images that are drawn; known before any of them is scored.

    Args:
        groups: The group of each image, by its sha256.
    """
    in_order = [groups[content] for content in sorted(groups)]
    return len(draw_independent(in_order, seal_generator()))
