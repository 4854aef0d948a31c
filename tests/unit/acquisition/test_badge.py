import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alvision.acquisition import badge
from alvision.acquisition.support import ops
from tests.support.pools import NOTHING, generator, log_probs, pool_of
from tests.unit.acquisition.largest import Largest


def gradients(log_p, features):
    """Return the dense form, [N, C·D] in fp64."""
    p = log_p.double().exp().mean(1)
    best = p.argmax(1, keepdim=True)
    wrong = p.scatter(1, best, 0)
    wrong.scatter_(1, best, -wrong.sum(1, keepdim=True))  # p - 1, but exact where p is close to 1
    return (wrong[:, :, None] * features.double()[:, None]).flatten(1)


def dense_chances(dense, rows):
    """Return what k-means++ gives each of these rows, after those before it."""
    weights, nearest = dense.square().sum(1), torch.full((len(dense),), torch.inf).double()
    left, chances = torch.ones(len(dense), dtype=torch.bool), []
    for row in rows:
        weights = torch.where(left & (weights > 1e-8 * dense.square().sum(1)), weights, 0)
        share = weights if weights.sum() > 0 else left.double()
        chances.append(float(share[row] / share.sum()))
        left[row] = False
        weights = nearest = torch.minimum(nearest, (dense - dense[row]).square().sum(1))
    return chances


@settings(max_examples=20)
@given(log_probs(min_rows=1), st.integers(1, 6), st.integers(0, 2**16))
def test_every_chance_is_that_of_the_dense_form(values, width, seed):
    features = torch.randn(len(values), width, generator=generator(seed), dtype=torch.float64)
    if seed % 2:
        features = features[torch.arange(len(values)) // 2]
    values = values.double().log_softmax(-1)
    dense = gradients(values, features)
    # Rows that are nearly copies: rounding decides there whether they are, in either form.
    apart = (dense[:, None] - dense).square().sum(2)
    lengths = dense.square().sum(1)
    assume(((apart == 0) | (apart > 1e-6 * (lengths[:, None] + lengths))).all())
    pick = badge(
        pool_of(log_probs=values, features=features), NOTHING, n=len(values), rng=generator(seed)
    )
    rows = pick.rows.tolist()
    assert sorted(rows) == list(range(len(values)))
    expected = dense_chances(dense, rows)
    assert pick.propensity.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_pairs_are_drawn_as_often_as_the_dense_form_draws_them():
    rng, runs = generator(), 250
    values = torch.randn(3, 1, 3, generator=rng).log_softmax(-1)
    features = torch.randn(3, 5, generator=rng)
    pool = pool_of(log_probs=values, features=features)
    count = torch.zeros(3, 3)
    for seed in range(runs):
        first, second = badge(pool, NOTHING, n=2, rng=generator(seed)).rows
        count[first, second] += 1
    dense = gradients(values, features)
    for pair in itertools.permutations(range(3), 2):
        one, other = dense_chances(dense, pair)
        chance = one * other
        assert abs(count[pair] - runs * chance) < 5 * (runs * chance * (1 - chance)) ** 0.5 + 1


def test_golden_lengths():
    # |p - onehot|² is 2 (1 - p)² for two classes: .5 for a coin flip, .000008 for p = .998.
    p = torch.tensor([[0.5, 0.5], [0.998, 0.002]], dtype=torch.float64)[:, None]
    pool = pool_of(log_probs=p.log(), features=torch.ones(2, 1, dtype=torch.float64))
    pick = badge(pool, NOTHING, n=1, rng=generator())
    assert pick.rows.tolist() == [0]
    assert float(pick.propensity) == pytest.approx(0.5 / 0.500008, rel=1e-6)
    assert float(pick.scores) == pytest.approx(0.5**0.5)


def test_the_longest_doubt_is_drawn_and_certainty_last():
    p = torch.tensor([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0], [0.3, 0.7]])[:, None]
    pool = pool_of(log_probs=p.log(), features=torch.randn(4, 3, generator=generator()))
    for seed in range(20):
        rows = badge(pool, NOTHING, n=2, rng=generator(seed)).rows.tolist()
        assert rows[0] in (1, 3)


def test_a_copy_comes_after_all_that_differ():
    values = torch.randn(6, 1, 4, generator=generator()).log_softmax(-1).repeat(3, 1, 1)
    features = 50 + torch.randn(6, 9, generator=generator()).repeat(3, 1)
    for seed in range(4):
        pick = badge(
            pool_of(log_probs=values, features=features), NOTHING, n=18, rng=generator(seed)
        )
        assert {row % 6 for row in pick.rows.tolist()[:6]} == set(range(6))
        assert pick.scores[6:].tolist() == [0.0] * 12
        assert pick.propensity[6:].tolist() == pytest.approx([1 / k for k in range(12, 0, -1)])


def test_a_certain_pool_is_drawn_alike():
    pool = pool_of(log_probs=torch.eye(3)[[0, 1, 2, 0]][:, None].log(), features=torch.ones(4, 2))
    pick = badge(pool, NOTHING, n=4, rng=generator())
    assert pick.propensity.tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 2, 1])


def test_near_certainty_keeps_an_order_that_rounding_would_tie():
    values = torch.tensor([[40.0, 0.0], [30.0, 0.0]])[:, None].log_softmax(-1)
    pick = badge(
        pool_of(log_probs=values, features=torch.ones(2, 1)), NOTHING, n=1, rng=generator()
    )
    assert pick.rows.tolist() == [1]


def test_the_gradients_are_never_built():
    n, passes, classes, width = 300, 2, 50, 40
    pool = pool_of(
        log_probs=torch.randn(n, passes, classes).log_softmax(-1), features=torch.randn(n, width)
    )
    with Largest() as largest:
        badge(pool, NOTHING, n=5, rng=generator())
    assert n * classes <= largest.numbers <= n * passes * classes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(dtype):
    values = torch.randn(30, 3, 4, generator=generator()).log_softmax(-1).to(dtype)
    features = torch.randn(30, 8, generator=generator()).to(dtype)
    half = badge(pool_of(log_probs=values, features=features), NOTHING, n=9, rng=generator())
    full = pool_of(log_probs=values.float().log_softmax(-1), features=features.float())
    assert half.scores.dtype == torch.float32
    assert half.rows.tolist() == badge(full, NOTHING, n=9, rng=generator()).rows.tolist()


def test_the_split_of_the_work_does_not_show(monkeypatch):
    pool = pool_of(
        log_probs=torch.randn(40, 3, 4, generator=generator()).log_softmax(-1),
        features=torch.randn(40, 8, generator=generator()),
    )
    whole = badge(pool, NOTHING, n=20, rng=generator()).rows
    monkeypatch.setattr(ops, "_BLOCK_CPU", 24)
    assert torch.equal(badge(pool, NOTHING, n=20, rng=generator()).rows, whole)


@pytest.mark.gpu
def test_a_gpu_draws_the_same_rows():
    values = torch.randn(500, 3, 10, generator=generator()).log_softmax(-1)
    features = torch.randn(500, 32, generator=generator())
    here = badge(pool_of(log_probs=values, features=features), NOTHING, n=20, rng=generator())
    pool = pool_of(log_probs=values.cuda(), features=features.cuda())
    there = badge(pool, NOTHING, n=20, rng=generator())
    assert there.rows.is_cuda
    assert torch.equal(here.rows, there.rows.cpu())
