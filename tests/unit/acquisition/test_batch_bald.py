import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import bald, batch_bald, top_k
from alvision.acquisition.batch_bald import thin
from alvision.acquisition.support import ops
from tests.support.pools import NOTHING, generator, log_probs, pool_of
from tests.unit.acquisition.joint import greedy, information
from tests.unit.acquisition.largest import Largest

batches = importlib.import_module("alvision.acquisition.batch_bald")


def chosen(values, n, **settings):
    return batch_bald(pool_of(log_probs=values), NOTHING, n=n, rng=generator(), **settings)


def passes_of(n, k, c, seed=0, scale=2.0):
    return (scale * torch.randn(n, k, c, generator=generator(seed))).log_softmax(-1)


@settings(max_examples=12)
@given(
    st.integers(1, 6),
    st.integers(2, 5),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
    st.integers(0, 999),
)
def test_it_is_greedy_on_the_exact_joint_information(total, passes, classes, copies, seed):
    values = passes_of(total, passes, classes, seed)
    if copies:
        values = values[torch.randint(total, (total,), generator=generator(seed))]
    n = min(4, total)
    pick = chosen(values, n)
    _, gains = greedy(values.exp(), n)
    assert pick.scores.tolist() == pytest.approx(gains, abs=2e-5)
    attained = information(values.exp()[pick.rows])
    assert attained == pytest.approx(sum(gains), abs=5e-5)


@settings(max_examples=10)
@given(log_probs(min_rows=1, min_passes=2))
def test_any_pool_can_be_taken_whole(values):
    pick = chosen(values, len(values), outcomes=50)
    assert sorted(pick.rows.tolist()) == list(range(len(values)))
    assert pick.scores.isfinite().all() and (pick.scores >= 0).all()
    # What is known of the passes is at most which of them it is.
    assert float(pick.scores[0]) == pytest.approx(float(bald(values).max()), abs=1e-5)


def test_golden_values():
    # Two passes that contradict each other on a coin, and a weaker coin: the first tells log 2, all
    # that there is to tell.
    p = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.8, 0.2], [0.2, 0.8]]])
    pick = chosen(p.log(), 2)
    assert pick.rows.tolist() == [0, 1]
    assert pick.scores.tolist() == pytest.approx([math.log(2), 0.0], abs=1e-6)


def test_it_does_not_take_copies_as_bald_does():
    values = torch.cat([passes_of(1, 8, 3, scale=4.0).repeat(5, 1, 1), passes_of(5, 8, 3, seed=1)])
    plain = top_k(pool_of(log_probs=values), NOTHING, n=3, rng=generator(), score=bald)
    assert information(values.exp()[plain.rows]) < sum(chosen(values, 3).scores.tolist()) - 0.1


def test_more_outcomes_than_are_looked_at_cost_little_information():
    values = passes_of(10, 6, 3)
    rows, gains = greedy(values.exp(), 6)
    pick = chosen(values, 6, outcomes=81)
    assert information(values.exp()[pick.rows]) > 0.99 * sum(gains)
    assert chosen(values, 6).rows.tolist() == rows


def test_the_thinned_sum_is_near_the_exact_one():
    values = passes_of(7, 10, 3)
    exact, thinned = chosen(values, 7), chosen(values, 7, outcomes=500)
    assert float(thinned.scores.sum()) == pytest.approx(float(exact.scores.sum()), abs=0.01)


def test_lazy_gains_are_those_of_every_row_anew(monkeypatch):
    values, looked_at = passes_of(120, 6, 3), []
    real = batches._gains

    def gains(log_p, *outcomes):
        looked_at.append(len(log_p))
        return real(log_p, *outcomes)

    monkeypatch.setattr(batches, "_gains", gains)
    lazy, few = chosen(values, 6), sum(looked_at)
    rows = []
    for i in range(6):
        left = [row for row in range(120) if row not in rows]
        after = [information(values.exp()[[*rows, row]]) for row in left]
        rows.append(left[max(range(len(left)), key=after.__getitem__)])
        assert lazy.rows.tolist()[: i + 1] == rows
    assert few < 5 * 120


@settings(max_examples=20)
@given(st.lists(st.floats(1e-6, 10), min_size=2, max_size=30), st.data())
def test_thinning_keeps_the_sum_and_what_is_large(weights, data):
    values = torch.tensor(weights, dtype=torch.float64)
    limit = data.draw(st.integers(1, len(weights) - 1))
    which, fair = thin(values, limit, generator(3))
    assert len(which) <= limit and len(set(which.tolist())) == len(which)
    assert float(fair.sum()) == pytest.approx(float(values.sum()))
    step = float(values.sum()) / limit
    large = {i for i, weight in enumerate(weights) if weight > step * (1 + 1e-9)}
    assert large <= set(which.tolist())


def test_thinning_is_right_on_average():
    weights, mean = torch.tensor([5.0, 1.0, 0.5, 0.5, 2.0, 0.25]), torch.zeros(6)
    for seed in range(150):
        which, fair = thin(weights, 3, generator(seed))
        mean[which] += fair / 150
    torch.testing.assert_close(mean, weights, rtol=0, atol=0.6)
    assert float(mean[0]) == pytest.approx(5.0, rel=1e-5)


def test_the_stated_memory_is_kept():
    n, passes, classes, outcomes = 60, 8, 10, 300
    values = passes_of(n, passes, classes)
    pool = pool_of(log_probs=values)
    with Largest() as largest:
        batch_bald(pool, NOTHING, n=6, rng=generator(), outcomes=outcomes)
    assert largest.numbers <= max(
        n * passes * classes, outcomes * classes, ops.block_rows(values[:1, 0, 0])
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(dtype):
    values = passes_of(20, 5, 3)
    pick, full = chosen(values.to(dtype), 4), chosen(values, 4)
    assert pick.scores.dtype == torch.float32
    torch.testing.assert_close(pick.scores, full.scores, rtol=0, atol=0.05)


def test_no_outcomes_are_too_few():
    with pytest.raises(ValueError, match="outcomes = 0: expected 1 or more"):
        chosen(passes_of(3, 2, 2), 1, outcomes=0)


@pytest.mark.gpu
def test_a_gpu_picks_the_same_rows():
    values = passes_of(200, 10, 4)
    here, there = chosen(values, 6), chosen(values.cuda(), 6)
    assert there.rows.is_cuda
    assert torch.equal(here.rows, there.rows.cpu())


def test_what_is_lost_in_rounding_is_left_out():
    weights = torch.tensor([1.0, 1e-20, 1e-21, 1e-22])
    which, kept = thin(weights, 2, generator())
    assert which.tolist() == [0, 1] and torch.equal(kept, weights[:2])


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing():
    values, before = passes_of(1000, 5, 4), torch.get_num_threads()
    picks = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            picks.append(chosen(values, 14))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(pick.rows, picks[0].rows) for pick in picks)
    assert all(torch.equal(pick.scores, picks[0].scores) for pick in picks)
