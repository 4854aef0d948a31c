import pytest
import torch

from alvision.anomaly.memory import PatchMemory
from alvision.anomaly.unseen import FLOOR, Distances, strangeness_logits
from alvision.anomaly.whitening import Whitening

ANOTHER = -1
"""No fold of a memory: images of it are compared with all."""


def memory(parts, width=4):
    rng = torch.Generator().manual_seed(0)
    cores = tuple(torch.randn(count, width, generator=rng) for count in parts)
    return PatchMemory(cores, Whitening(torch.full((width,), 0.3), 2 * torch.eye(width)))


@pytest.mark.parametrize("parts", [(5,), (5, 0, 3), (6, 5, 4, 3, 2), (3, 3, 0, 3, 3)])
def test_what_a_bundle_runs_is_what_the_memory_says_of_unseen_images(parts):
    patches = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(1))
    found, expected = memory(parts), memory(parts).distances(patches, [ANOTHER] * 3)
    assert torch.allclose(Distances(found)(patches), expected, atol=1e-4)


def test_more_strange_is_more_defective_and_usual_at_most_is_good():
    scores = torch.tensor([0.0, 1.0, 1.9, 2.1, 40.0])
    logits = strangeness_logits(scores, 2.0, [True, False, True])
    assert (logits.softmax(1)[:, 0].diff() > 0).all()
    assert logits.argmax(1).eq(1).tolist() == [True, True, True, False, False]
    assert torch.equal(logits[:, 0], logits[:, 2])


def test_near_copies_score_alike_because_their_distance_is_rounding():
    logits = strangeness_logits(torch.tensor([0.0, 1e-4, 0.99 * FLOOR]), 1.0, [False, True])
    assert len(set(logits[:, 1].tolist())) == 1
