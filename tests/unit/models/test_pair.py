import math

import pytest
import torch
from torch import nn

from alvision.models import heads
from alvision.models.pair import HeadPair, TrunkPair


def pair(kind="dropout", **options):
    first, second = (
        heads.build(kind, 4, 3, hidden=0, dropout=0.5, members=2, **options) for _ in range(2)
    )
    return HeadPair(first, second).eval()


def test_the_features_lie_side_by_side():
    images = torch.rand(2, 3, 4, 4)
    trunk = TrunkPair(nn.Flatten(), nn.Sequential(nn.Flatten(), nn.ReLU()))
    assert torch.equal(trunk(images)[:, :48], images.flatten(1))
    assert trunk(images).shape == (2, 96)


def test_the_probabilities_are_the_mean_of_both():
    head, features = pair(), torch.randn(5, 8)
    mine, other = head.first(features[:, :4]), head.second(features[:, 4:])
    expected = (mine.softmax(1) + other.softmax(1)) / 2
    assert torch.allclose(head(features).softmax(1), expected, atol=1e-6)
    assert torch.allclose(head(features).exp().sum(1), torch.ones(5), atol=1e-6)


@pytest.mark.parametrize("kind", ["dropout", "linear"])
def test_a_pass_is_a_pass_of_each(kind):
    head, features = pair(kind), torch.randn(5, 8)
    masks = head.masks(6, torch.Generator().manual_seed(0))
    passes = head.passes(features, masks)
    assert passes.shape == (5, 6 if kind == "dropout" else 1, 3)
    assert torch.allclose(passes.logsumexp(2), torch.zeros(passes.shape[:2]), atol=1e-5)
    assert head.stochastic == (kind == "dropout")
    if kind == "linear":
        assert torch.allclose(passes[:, 0], head(features), atol=1e-6)


def test_the_loss_is_cross_entropy_of_the_mean():
    head, features, targets = pair("linear"), torch.randn(4, 8), torch.tensor([0, 1, 2, 0])
    weights = torch.tensor([1.0, 2.0, 3.0])
    expected = nn.functional.cross_entropy(head(features), targets, weight=weights)
    assert math.isclose(head.loss(features, targets, weights).item(), expected.item(), rel_tol=1e-5)
