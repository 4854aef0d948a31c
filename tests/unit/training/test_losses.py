import pytest
import torch
from torch.nn.functional import cross_entropy

from alvision.training.losses import focal, generalised_cross_entropy

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


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_with_a_small_exponent_the_generalised_one_is_cross_entropy(weights):
    expected = cross_entropy(LOGITS, TARGETS, weight=weights)
    found = generalised_cross_entropy(LOGITS, TARGETS, weights, q=1e-4)
    assert torch.allclose(found, expected, rtol=1e-3)


def test_the_generalised_one_by_hand():
    logits = torch.tensor([[0.0, 0.0]])  # p = 1/2: (1 - sqrt(1/2)) / (1/2)
    found = generalised_cross_entropy(logits, torch.tensor([1]), q=0.5)
    assert found.item() == pytest.approx(0.585786, rel=1e-5)


def test_a_label_pulls_by_what_the_model_believes_of_it():
    """The gradient is that of cross entropy times p to the power of q (arXiv 1805.07836)."""
    for row in range(3):
        pulls = []
        for loss in (cross_entropy, generalised_cross_entropy):
            logits = LOGITS[row : row + 1].clone().requires_grad_()
            loss(logits, TARGETS[row : row + 1]).backward()
            pulls.append(logits.grad)
        believed = LOGITS[row].softmax(0)[TARGETS[row]]
        assert torch.allclose(pulls[1], pulls[0] * believed**0.5, atol=1e-6)


def test_the_generalised_ones_gradient_is_finite_where_the_model_is_certain():
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    generalised_cross_entropy(logits, torch.tensor([0, 0])).backward()
    assert logits.grad.isfinite().all()
