import numpy as np
import pytest
import torch

from alvision.anomaly.whitening import whiten
from alvision.core.errors import UserError


def test_whitened_numbers_vary_alike_and_each_for_itself():
    rng = torch.Generator().manual_seed(0)
    mixed = torch.eye(5) + 0.4 * torch.randn(5, 5, generator=rng)
    patches = torch.randn(4000, 5, generator=rng) @ mixed * 3 + 7
    ready = whiten(patches)(patches)
    covariance = np.cov(ready.numpy().T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    assert (np.diag(covariance) > 0.4).all() and (np.diag(covariance) < 1.02).all()


def test_the_distance_does_not_depend_on_the_unit_of_a_number():
    rng = torch.Generator().manual_seed(1)
    patches = torch.randn(500, 4, generator=rng).double().float()
    units = torch.tensor([1.0, 1.0, 1.0, 1.0]) * 8
    apart = torch.cdist(whiten(patches)(patches[:5]), whiten(patches)(patches[:5]))
    again = torch.cdist(
        whiten(patches * units)(patches[:5] * units), whiten(patches * units)(patches[:5] * units)
    )
    assert torch.allclose(apart, again, atol=1e-3)


def test_a_constant_number_and_no_patch_do_no_harm_and_patches_all_alike_are_refused():
    patches = torch.tensor([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert whiten(patches)(patches).isfinite().all()
    assert whiten(patches[:1])(patches).isfinite().all()
    assert whiten(patches[:0]).turn.shape == (2, 2)
    with pytest.raises(UserError, match="same"):
        whiten(torch.ones(3, 2))
