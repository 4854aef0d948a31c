import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision.anomaly import memory
from alvision.anomaly.memory import PatchMemory, coreset, fold_of, nearest, nearest_few
from alvision.anomaly.whitening import Whitening


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99)
)
def test_the_nearest_patch_is_that_of_all_distances(images, places, held, width, seed):
    patches, known = normal(images, places, width, seed=seed), normal(held, width, seed=seed + 1)
    every = torch.cdist(patches.double().flatten(0, 1), known.double()).view(images, places, held)
    assert torch.allclose(nearest(patches, known).double(), every.amin(2), atol=1e-3)
    second = every.sort(2).values[..., min(2, held) - 1]
    assert torch.allclose(nearest_few(patches, known, 2).double(), second, atol=1e-3)


def test_blocks_change_nothing(monkeypatch):
    patches, known = normal(3, 5, 4), normal(7, 4, seed=1)
    whole = nearest(patches, known)
    monkeypatch.setattr(memory, "BLOCK", 8)
    assert torch.allclose(nearest(patches, known), whole)


def test_a_coreset_covers_what_is_far_and_knows_no_copy_twice():
    patches = torch.tensor([[0.0], [0.0], [1.0], [1.0], [9.0]])
    assert sorted(coreset(patches, 3)[:, 0].tolist()) == [0.0, 1.0, 9.0]
    assert len(coreset(patches, 99)) == 5
    assert len(coreset(patches[:0], 3)) == 0


def held(*parts):
    return PatchMemory(
        tuple(torch.tensor(part).view(-1, 1) for part in parts),
        Whitening(torch.zeros(1), torch.eye(1)),
    )


def test_an_image_does_not_find_itself_in_the_memory():
    known = held([5.0], [0.0], [1.0])
    own = torch.tensor([[[5.0]], [[5.0]]])
    assert known.distances(own, [0, 1]).tolist() == [[4.0], [0.0]]


def test_a_defect_in_one_fold_is_outvoted():
    known = held([0.0], [0.0, 7.0], [0.0], [0.0])
    assert known.distances(torch.tensor([[[7.0]]]), [0]).tolist() == [[7.0]]


def test_folds_without_images_do_not_vote_and_a_lone_one_must():
    assert held([], [2.0], []).distances(torch.tensor([[[0.0]]]), [0]).tolist() == [[2.0]]
    assert held([], [2.0], []).distances(torch.tensor([[[0.0]]]), [1]).tolist() == [[2.0]]


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_about_alike(folds):
    counts = [0] * folds
    for number in range(400):
        counts[
            fold_of(hashlib.sha256(bytes([number % 256, number // 256])).hexdigest(), folds)
        ] += 1
    assert min(counts) > 250 / folds
