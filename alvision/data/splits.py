"""Split images into pool and held-out parts: groups stay whole, exact duplicates together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
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
    def _parts(self) -> dict[SampleId, Part]:
        parts: dict[SampleId, Part] = dict.fromkeys(self.pool, "pool")
        return parts | dict.fromkeys(self.monitor, "monitor") | dict.fromkeys(self.seal, "seal")

    def part(self, id: SampleId) -> Part:
        """Return the part that an image is in; KeyError if it is in none."""
        return self._parts[id]


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


def simulated_split(
    manifest: Manifest, groups: Sequence[str], *, seed: int, share: float, fold: int | None
) -> Split:
    """Split a data set whose truth is known; the same for every strategy of one seed.

    The split column of the data wins (a blank is the pool); then `fold` picks one of five fixed
    stratified group folds as the test part; otherwise about `share` of the images, stratified and
    by whole groups, are drawn by `seed`. The pool keeps an image of every class. Test groups are
    hashed into monitor and seal as with people.

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
    return _split(manifest.ids, parts)


def audit_split(
    ids: Sequence[SampleId], groups: Sequence[str], *, share: float, known: Mapping[str, str]
) -> Split:
    """Split images that people label: a group is audit if blake2b(group) < share, whoever asks.

    A part in `known` (by group) is kept for ever, so that no model is evaluated on what another
    was trained on. `known` is asked for the images of a group too (by `image_key`): a lone image
    keeps its part when it joins a group later. If that gives several parts, the pool wins, because
    what may have been trained on must not be evaluated on.

    Raises:
        UserError: If the share is not in 0 .. below 1.
    """
    if not 0 <= share < 1:
        raise UserError(f"audit.share={share} must be in 0 .. below 1")
    said: dict[str, set[str]] = defaultdict(set)
    for id, group in zip(ids, groups, strict=True):
        said[group] |= {known[name] for name in (group, image_key(id)) if name in known}
    parts = {
        group: min(before, key=("pool", "monitor", "seal").index)
        if before
        else _drawn(group, share)
        for group, before in said.items()
    }
    return _split(ids, [parts[group] for group in groups])


def image_key(id: SampleId) -> str:
    """Name an image among the known parts, apart from a group that is called like it."""
    return f"image:{id}"


def part_of(group: str) -> Literal["monitor", "seal"]:
    """Return the half of the held-out part that a group belongs to, by a hash of its name.

    >>> part_of("lot-1"), part_of("lot-3")
    ('monitor', 'seal')
    """
    return "monitor" if _uniform("part", group) < 0.5 else "seal"


def _drawn(group: str, share: float) -> Part:
    return part_of(group) if _uniform("audit", group) < share else "pool"


def _uniform(purpose: str, text: str) -> float:
    """Hash a text to 0 .. below 1, with a hash of its own for each purpose."""
    digest = hashlib.blake2b(text.encode(), digest_size=6, person=purpose.encode()).digest()
    return int.from_bytes(digest, "big") / 2**48


def _split(ids: Sequence[SampleId], parts: Sequence[str]) -> Split:
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
