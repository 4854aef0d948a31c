"""Split images into pool and held-out parts: whole groups, unless the data splits itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from alvision.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from alvision.core.records import SampleId
    from alvision.data.manifest import Manifest

Part = Literal["pool", "monitor", "seal"]
PARTS: tuple[Part, ...] = ("pool", "monitor", "seal")
FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The three parts of a data set, each in id order.

    Attributes:
        pool: Images to choose from and to train on.
        monitor: Held out: the curve, stopping, temperature.
        seal: Held out: the threshold.
    """

    pool: tuple[SampleId, ...]
    monitor: tuple[SampleId, ...]
    seal: tuple[SampleId, ...]

    @property
    def held_out(self) -> tuple[SampleId, ...]:
        """Return monitor and seal together, in id order."""
        return tuple(sorted(self.monitor + self.seal))

    @cached_property
    def parts(self) -> Mapping[SampleId, Part]:
        """Return the part of each image."""
        parts: dict[SampleId, Part] = dict.fromkeys(self.pool, "pool")
        return parts | dict.fromkeys(self.monitor, "monitor") | dict.fromkeys(self.seal, "seal")

    def part(self, id: SampleId) -> Part:
        """Return the part that an image is in; KeyError if it is in none."""
        return self.parts[id]


def group_keys(manifest: Manifest, hashes: Mapping[SampleId, str]) -> tuple[str, ...]:
    """Name the group of every image: as given, with the groups of exact duplicates joined.

    An image without a group is its own, by its id. Joined groups have the smallest of their names.
    """
    keys = [group or id for id, group in zip(manifest.ids, manifest.groups, strict=True)]
    above = {key: key for key in keys}

    def top(key: str) -> str:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    first_with: dict[str, str] = {}
    for id, key in zip(manifest.ids, keys, strict=True):
        if id in hashes:
            low, high = sorted((top(key), top(first_with.setdefault(hashes[id], key))))
            above[high] = low
    return tuple(top(key) for key in keys)


def straddling(groups: Sequence[str], splits: Sequence[str | None]) -> dict[str, tuple[int, int]]:
    """Return the groups that a given split tears, each with a row of the pool and one of the test.

    A blank is the pool; without any `test` there is no split to tear a group.

    >>> straddling(["a", "a", "b", "b"], ["train", "test", None, None])
    {'a': (0, 1)}
    """
    first: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for row, (group, split) in enumerate(zip(groups, splits, strict=True)):
        first[split == "test"].setdefault(group, row)
    pool, test = first[False], first[True]
    return {group: (pool[group], test[group]) for group in sorted(pool.keys() & test.keys())}


def simulated_split(
    manifest: Manifest, groups: Sequence[str], *, seed: int, share: float, fold: int | None
) -> Split:
    """Split a data set whose truth is known; the same for every strategy of one seed.

    The split column of the data wins (a blank is the pool), even over groups, see `straddling`;
    then `fold` picks one of five fixed stratified group folds as the test part; otherwise about
    `share` of the images, stratified and by whole groups, are drawn by `seed`. The pool keeps an
    image of every class. Test groups are hashed into monitor and seal as with people.

    Raises:
        UserError: If truth is missing, or the groups allow no such split.
    """
    if any(manifest.splits):
        import numpy as np

        test = np.array([split == "test" for split in manifest.splits])
        if not test.any() or test.all():
            raise UserError(
                f"the data's split column leaves the {'pool' if test.any() else 'test part'} "
                "empty: mark images of both train and test, or set data.split_column=null"
            )
    else:
        test = _test_rows(manifest, groups, seed=seed, share=share, fold=fold)
    parts = [
        "pool" if not is_test else part_of(group)
        for group, is_test in zip(groups, test, strict=True)
    ]
    return split_of(manifest.ids, parts)


def part_of(group: str) -> Literal["monitor", "seal"]:
    """Return the half of the held-out part that a group belongs to, by a hash of its name.

    >>> part_of("lot-1"), part_of("lot-3")
    ('monitor', 'seal')
    """
    return "monitor" if _uniform("part", group) < 0.5 else "seal"


def drawn(group: str, share: float) -> Part:
    """Draw the part of a group that is new, by a hash of its name."""
    return part_of(group) if _uniform("audit", group) < share else "pool"


def _uniform(purpose: str, text: str) -> float:
    """Hash a text to 0 .. below 1, with a hash of its own for each purpose."""
    digest = hashlib.blake2b(text.encode(), digest_size=6, person=purpose.encode()).digest()
    return int.from_bytes(digest, "big") / 2**48


def split_of(ids: Sequence[SampleId], parts: Sequence[str]) -> Split:
    """Gather the images of each part, given the part of each image."""

    def those(part: str) -> tuple[SampleId, ...]:
        return tuple(sorted(id for id, own in zip(ids, parts, strict=True) if own == part))

    return Split(those("pool"), those("monitor"), those("seal"))


def _test_rows(
    manifest: Manifest, groups: Sequence[str], *, seed: int, share: float, fold: int | None
) -> np.ndarray:
    unknown = [id for id, label in zip(manifest.ids, manifest.truth, strict=True) if label is None]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(manifest)} images have no known class, first {unknown[0]!r}: "
            "a simulated run needs the class of every image (oracle=files lets people answer)"
        )
    if fold is not None and not 0 <= fold < FOLDS:
        raise UserError(f"data.fold={fold} must be 0..{FOLDS - 1}, or null for a split by seed")
    if not 0 < share < 1:
        raise UserError(f"audit.share={share} must be above 0 and below 1: it is the test part")
    import numpy as np

    truth, names = np.array(manifest.truth), np.array(groups)
    if fold is not None:
        folds, chosen = stratified_folds(truth, names, FOLDS, seed=0), fold
    else:
        count = min(max(2, round(1 / share)), len(set(groups)))
        folds = stratified_folds(truth, names, count, seed=seed)
        chosen = int(_uniform("fold", str(seed)) * count)
    test = _keep_every_class(truth, names, folds == chosen)
    if not test.any():
        raise UserError(
            f"{len(set(groups))} groups allow no test part that leaves every class in the pool: "
            "add images, or choose smaller groups with data.group_by"
        )
    return test


def stratified_folds(truth: np.ndarray, groups: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Number the fold of each row, int [N]: groups whole, every class spread evenly.

    Large groups go first, those of like size in an order that the seed draws. Each goes to the
    fold f with the least sum over classes of n_fc * n_gc / n_c^2, which keeps the sum of squares
    of the folds' class shares least; ties go to the fold with fewest images. (scikit-learn's
    StratifiedGroupKFold takes half a minute for 100,000 groups, and lets the seed break only ties.)
    """
    import numpy as np

    classes, class_rows = np.unique(truth, return_inverse=True)
    names, group_rows = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (group_rows, class_rows), 1)
    sizes = counts.sum(axis=1)
    shares = counts / counts.sum(axis=0)
    draw = [_uniform("split", f"{seed} {name}") for name in names]
    fold_of = np.empty(len(names), dtype=int)
    fold_shares, fold_sizes = np.zeros((count, len(classes))), np.zeros(count)
    for group in np.lexsort((draw, -np.floor(np.log2(sizes)))):
        overlap = fold_shares @ shares[group]
        best = min(range(count), key=lambda fold: (overlap[fold], fold_sizes[fold]))
        fold_of[group] = best
        fold_shares[best] += shares[group]
        fold_sizes[best] += sizes[group]
    return fold_of[group_rows]


def _keep_every_class(truth: np.ndarray, groups: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Give whole test groups back to the pool until every class is in it."""
    test = test.copy()
    for label in sorted(set(truth)):
        if test[truth == label].all():
            smallest = min(
                sorted(set(groups[truth == label])), key=lambda group: (groups == group).sum()
            )
            test[groups == smallest] = False
    return test
