import pytest
import torch
from torch import nn

from alvision.core.errors import UserError
from alvision.models import heads

LINEAR = {"_target_": "torch.nn.Linear", "_partial_": True}


def build(node=LINEAR):
    torch.manual_seed(0)
    return heads.build(node, 4, 3, hidden=0, dropout=0.0)


def test_a_module_of_the_users_own_is_given_standardised_features():
    head, features = build().eval(), torch.randn(5, 4)
    mean, gain = torch.randn(4), torch.rand(4)
    head.standardise(mean, gain)
    expected = head.module((features - mean) * gain)
    assert torch.allclose(head(features), expected)
    values = head.passes(features, head.masks(20, torch.Generator()))
    assert values.shape == (5, 1, 3)
    assert torch.allclose(values[:, 0], expected.log_softmax(-1))


def test_its_dropout_is_drawn_on_standardised_features_too():
    head, features = build().eval(), torch.randn(5, 4)
    head.module = nn.Sequential(nn.Dropout(0.5), head.module)
    plain = head.passes(features, head.masks(6, torch.Generator().manual_seed(0)))
    head.standardise(torch.full((4,), 2.0), torch.full((4,), 3.0))
    moved = head.passes(features / 3 + 2, head.masks(6, torch.Generator().manual_seed(0)))
    assert plain.shape == (5, 6, 3) and not torch.equal(plain[:, 0], plain[:, 1])
    assert torch.allclose(plain, moved, atol=1e-5)


def wide(width, classes):
    return nn.Linear(width, classes + 1)


def test_a_module_of_another_shape_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"maps features \[2, 4\] to \[2, 4\]; it must give"):
        build({"_target_": f"{__name__}.wide", "_partial_": True})
