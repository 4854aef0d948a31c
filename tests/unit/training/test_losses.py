import pytest
import torch
from torch.nn.functional import cross_entropy

from alvision.training.losses import focal

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5], [0.3, 0.2, 0.1]])
TARGETS = torch.tensor([0, 2, 1])


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_without_gamma_it_is_cross_entropy(weights):
    expected = cross_entropy(LOGITS, TARGETS, weight=weights)
    assert torch.allclose(focal(LOGITS, TARGETS, weights, gamma=0.0), expected)


def test_its_value_by_hand():
    logits = torch.tensor([[0.0, 0.0]])  # p = 1/2: (1/2)^2 log 2
    assert focal(logits, torch.tensor([1])).item() == pytest.approx(0.25 * 0.693147, rel=1e-5)


def test_its_gradient_is_finite_where_the_image_is_certain():
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    focal(logits, torch.tensor([0, 0]), gamma=1.5).backward()
    assert logits.grad.isfinite().all()
