import math

import pytest
import torch
from hypothesis import given, settings

from alvision.acquisition import epig
from alvision.acquisition.support import ops
from tests.support.pools import NOTHING, generator, log_probs, pool_of
from tests.unit.acquisition.joint import information
from tests.unit.acquisition.largest import Largest


def chosen(values, n, seed=0, **settings):
    return epig(pool_of(log_probs=values), NOTHING, n=n, rng=generator(seed), **settings)


def passes_of(n, k, c, seed=0):
    return (2 * torch.randn(n, k, c, generator=generator(seed))).log_softmax(-1)


def plain(values, targets):
    """Return the mean mutual information of two labels from their dense joint distribution."""
    p = values.double().exp()
    result = []
    for row in p:
        each = []
        for aim in p[targets]:
            joint = torch.einsum("kc,kd->cd", row, aim) / len(row)
            apart = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
            ratio = torch.where(joint > 0, joint / apart, 1)
            each.append(float((joint * ratio.log()).sum()))
        result.append(sum(each) / len(each))
    return result


@settings(max_examples=12)
@given(log_probs(min_rows=1, min_passes=2))
def test_it_is_the_mean_information_between_two_labels(values):
    total = len(values)
    pick = chosen(values, total)
    expected = plain(values, range(total))
    assert sorted(pick.rows.tolist()) == list(range(total))
    assert pick.scores.tolist() == pytest.approx([expected[r] for r in pick.rows], abs=2e-5)
    assert (pick.scores.diff() <= 0).all()


def test_golden_values():
    # Two coins that every pass knows: the label of one gives the other's away, log 2.
    p = torch.eye(2)[None].repeat(2, 1, 1)
    assert chosen(p.log(), 1).scores.tolist() == pytest.approx([math.log(2)], abs=1e-6)


def test_a_label_that_tells_of_others_outranks_one_that_tells_of_itself():
    # Five images share what the passes disagree on, and one odd image is alone with its own.
    shared = torch.tensor([[0.95, 0.05]] * 2 + [[0.05, 0.95]] * 2)
    odd = torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 2)
    p = torch.stack([odd, *[shared] * 5])
    assert information(p[:1]) > information(p[1:2])
    assert chosen(p.log(), 1).rows.tolist() == [1]


def test_a_large_pool_is_represented_by_a_fair_draw():
    values = passes_of(60, 4, 3)
    pick = chosen(values, 60, targets=20)
    order = torch.randperm(60, generator=generator())[:20].sort().values
    expected = plain(values, order)
    assert pick.scores.tolist() == pytest.approx([expected[r] for r in pick.rows], abs=1e-5)


def test_the_split_of_the_work_does_not_show(monkeypatch):
    values = passes_of(40, 4, 3)
    whole = chosen(values, 40)
    monkeypatch.setattr(ops, "_BLOCK_CPU", 24)
    parts = chosen(values, 40)
    torch.testing.assert_close(whole.scores, parts.scores, rtol=0, atol=1e-6)


def test_the_joint_of_all_pairs_is_never_held(monkeypatch):
    monkeypatch.setattr(ops, "_BLOCK_CPU", 2**12)
    n, classes, targets = 200, 5, 50
    with Largest() as largest:
        chosen(passes_of(n, 2, classes), 9, targets=targets)
    assert largest.numbers <= max(2**12, n * 2 * classes)


def test_no_targets_are_too_few():
    with pytest.raises(ValueError, match="targets = 0: expected 1 or more"):
        chosen(passes_of(3, 2, 2), 1, targets=0)


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    values = passes_of(300, 6, 4)
    here, there = chosen(values, 20), chosen(values.cuda(), 20)
    assert there.rows.is_cuda
    torch.testing.assert_close(here.scores, there.scores.cpu(), rtol=1e-4, atol=1e-5)
