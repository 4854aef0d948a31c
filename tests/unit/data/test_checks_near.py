import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.data.checks.near import alike, close_pairs, components, distances


def brute_force(bits, radius):
    distance = (bits[:, None] != bits[None]).sum(axis=2)
    rows = np.argwhere(np.triu(distance <= radius, 1))
    return {tuple(pair) for pair in rows.tolist()}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), radius=st.integers(0, 24), rows=st.integers(0, 9))
def test_pairs_equal_brute_force(seed, radius, rows):
    rng = np.random.default_rng(seed)
    scene = rng.random((2, 256)) < 0.5
    bits = scene[rng.integers(0, 2, rows)] ^ (rng.random((rows, 256)) < rng.uniform(0.001, 0.08))
    # Rows with one hash are linked to the first of them alone, so only distinct ones compare.
    bits = np.unique(bits, axis=0) if rows else bits.reshape(0, 256)
    assert {tuple(pair) for pair in close_pairs(bits, radius).tolist()} == brute_force(bits, radius)


def test_components_are_exact_where_many_rows_are_alike():
    rng = np.random.default_rng(0)
    scene = rng.random((4, 256)) < 0.5
    bits = scene[rng.integers(0, 4, 600)] ^ (rng.random((600, 256)) < 0.01)
    expected = components(np.array(sorted(brute_force(bits, 16))), 600)
    assert components(close_pairs(bits, 16), 600).tolist() == expected.tolist()


def test_equal_hashes_are_linked_once():
    assert close_pairs(np.zeros((5, 256), dtype=bool)).tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]


def test_distance_counts_bits():
    words = np.array([[0, 0], [3, 2**63]], dtype=np.uint64)
    assert distances(words, np.array([0]), np.array([1])).tolist() == [3]


def test_alike_keeps_only_pairs_that_look_alike():
    vectors = np.array([[1, 0], [0.999, 0.0447], [0, 1]], dtype=np.float32)
    pairs = np.array([[0, 1], [0, 2]])
    assert alike(vectors, pairs).tolist() == [[0, 1]]
    assert alike(vectors, pairs[:0]).shape == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [3, 50_000])
def test_scales_to_a_hundred_thousand(scenes):
    rng = np.random.default_rng(0)
    scene = rng.random((scenes, 256)) < 0.5
    bits = scene[rng.integers(0, scenes, 100_000)] ^ (rng.random((100_000, 256)) < 0.01)
    begin = time.process_time()
    pairs = close_pairs(bits)
    assert time.process_time() - begin < 120
    assert len(np.unique(components(pairs, 100_000))) <= scenes
