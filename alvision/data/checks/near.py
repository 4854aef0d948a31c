"""Near duplicates: pictures that differ by less than a re-encoding or a change of exposure does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

RADIUS = 16
"""Bits of 256 that may differ: re-encoded, halved or brightened copies differ by 2 to 16."""
LEAST_CORRELATION = 0.95
"""What the small grey pictures of a pair must share; hashes of flat pictures agree by chance."""
WINDOW = 256
"""Most rows that one row is compared with in one bucket."""
LINKS = 8
"""Close ones after which a row looks no further in a bucket: 100,000 frames of one scene would
else make billions of pairs that say the same."""

_POPCOUNT = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)


def distances(
    words: NDArray[np.uint64], left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Count the bits in which rows `left` and `right` of hashes [N, W] differ; returns [P]."""
    different = words[left] ^ words[right]
    return _POPCOUNT[different.view(np.uint16)].sum(axis=1, dtype=np.int64)


def close_pairs(bits: NDArray[np.bool_], radius: int = RADIUS) -> NDArray[np.intp]:
    """Find the pairs of rows of hashes [N, B] within a Hamming distance, without N² comparisons.

    Multi-index hashing (doi 10.1109/TPAMI.2013.231): cut the B bits into radius + 1 parts; two
    hashes that differ in at most `radius` bits agree in at least one whole part, so only rows
    that share a part are compared. A row with the same hash as an earlier one is paired with that
    one alone. Among more than `WINDOW` rows that share a part, a row meets the next `WINDOW`.

    Returns:
        Rows [P, 2], the lower one first, in order; B must be a multiple of 64.

    >>> bits = np.zeros((3, 256), dtype=bool); bits[1, :9] = True; bits[2, :99] = True
    >>> close_pairs(bits).tolist()
    [[0, 1]]
    """
    if len(bits) == 0:
        return np.empty((0, 2), dtype=np.intp)
    unique, first, member = np.unique(
        np.packbits(bits, axis=1), axis=0, return_index=True, return_inverse=True
    )
    member = member.reshape(-1)
    rows = np.arange(len(bits))
    repeated = rows != first[member]
    found = [np.stack([first[member[repeated]], rows[repeated]], axis=1)]
    words = np.ascontiguousarray(unique).view(np.uint64)
    shuffled = np.random.default_rng(0).permutation(bits.shape[1])
    for part in np.array_split(shuffled, radius + 1):
        # Neighbouring bits of a perceptual hash agree in most pictures: parts of scattered bits
        # make smaller buckets.
        found.append(first[_same_part(words, bits[first][:, part], radius)])
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0)


def _same_part(words: NDArray[np.uint64], part: NDArray[np.bool_], radius: int) -> NDArray[np.intp]:
    packed = np.packbits(part, axis=1)
    _, key = np.unique(packed, axis=0, return_inverse=True)
    key = key.reshape(-1)
    order = np.argsort(key, kind="stable")
    key = key[order]
    found = [np.empty((0, 2), dtype=np.intp)]
    active = np.arange(len(order))
    links = np.zeros(len(order), dtype=np.int64)
    for step in range(1, WINDOW + 1):
        active = active[(active + step < len(order)) & (links[active] < LINKS)]
        active = active[key[active] == key[active + step]]
        if len(active) == 0:
            break
        left, right = order[active], order[active + step]
        close = distances(words, left, right) <= radius
        links[active[close]] += 1
        found.append(np.stack([left[close], right[close]], axis=1))
    return np.concatenate(found)


def alike(
    vectors: NDArray[np.float32], pairs: NDArray[np.intp], least: float = LEAST_CORRELATION
) -> NDArray[np.intp]:
    """Keep the pairs [P, 2] whose unit vectors [N, D] have an inner product of at least `least`."""
    keep = [
        np.einsum("pd,pd->p", vectors[block[:, 0]], vectors[block[:, 1]]) >= least
        for block in np.array_split(pairs, max(1, len(pairs) // 50_000))
    ]
    return pairs[np.concatenate(keep)]


def components(pairs: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """Number the connected components [rows] that pairs [P, 2] make of `rows` rows.

    >>> components(np.array([[0, 2]]), 3).tolist()
    [0, 1, 0]
    """
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return connected_components(graph, directed=False)[1].astype(np.intp)
