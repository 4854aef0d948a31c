import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import bald, entropy, margin, random_sampling, top_k
from alvision.inference.predictions import Predictions
from tests.support.pools import NOTHING, generator, ids, log_probs, pool_of

by_entropy = functools.partial(top_k, score=entropy)


@settings(max_examples=25)
@given(st.data(), log_probs(min_rows=1, min_passes=2), st.sampled_from([entropy, margin, bald]))
def test_top_k_takes_the_highest_and_of_equals_the_lowest_row(data, values, score):
    n = data.draw(st.integers(0, len(values)))
    scores = score(values)
    pick = top_k(pool_of(log_probs=values), NOTHING, n=n, rng=generator(), score=score)
    order = sorted(range(len(values)), key=lambda row: (-float(scores[row]), row))
    assert pick.rows.tolist() == order[:n]
    assert torch.equal(pick.scores, scores[pick.rows])
    fused = top_k(pool_of(scores=scores), NOTHING, n=n, rng=generator(), score=score)
    assert torch.equal(fused.rows, pick.rows)


def test_a_score_made_inside_the_pass_is_not_computed_again():
    def never(log_probs):
        raise AssertionError("called")

    pool = pool_of(
        scores=torch.tensor([0.0, 2.0, 1.0]), log_probs=torch.zeros(3, 1, 2).log_softmax(-1)
    )
    assert top_k(pool, NOTHING, n=2, rng=generator(), score=never).rows.tolist() == [1, 2]


def test_equal_scores_are_taken_from_the_first_row_on():
    pool = pool_of(scores=torch.zeros(3000))
    assert by_entropy(pool, NOTHING, n=40, rng=generator()).rows.tolist() == list(range(40))


def test_the_classes_are_those_of_the_model_not_of_the_labels_seen():
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    labelled = pool_of(labels=torch.zeros(2, dtype=torch.int64))
    pick = by_entropy(pool_of(log_probs=p[:, None].log()), labelled, n=1, rng=generator())
    assert pick.rows.tolist() == [1]


@settings(max_examples=15)
@given(st.integers(0, 30), st.data())
def test_a_draw_is_fair_at_every_step(total, data):
    n = data.draw(st.integers(0, total))
    pick = random_sampling(Predictions(ids(total)), NOTHING, n=n, rng=generator())
    assert len(set(pick.rows.tolist())) == n
    assert all(0 <= row < total for row in pick.rows.tolist())
    assert pick.propensity.tolist() == pytest.approx([1 / (total - i) for i in range(n)])


def test_every_pair_is_drawn_as_often_as_any_other():
    pool, count = Predictions(ids(4)), torch.zeros(4, 4)
    for seed in range(600):
        first, second = random_sampling(pool, NOTHING, n=2, rng=generator(seed)).rows
        count[first, second] += 1
    off = count[~torch.eye(4, dtype=torch.bool)]
    # Twelve ordered pairs, 50 draws each expected; five standard deviations.
    assert ((off - 50).abs() < 5 * (600 / 12 * 11 / 12) ** 0.5).all()


def test_the_draw_follows_its_generator_and_no_other():
    pool = Predictions(ids(50))
    state = torch.get_rng_state()
    first = random_sampling(pool, NOTHING, n=9, rng=generator(1)).rows
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, random_sampling(pool, NOTHING, n=9, rng=generator(1)).rows)
    assert not torch.equal(first, random_sampling(pool, NOTHING, n=9, rng=generator(2)).rows)


@pytest.mark.parametrize("acquire", [by_entropy, random_sampling])
@pytest.mark.parametrize("n", [-1, 4])
def test_more_than_there_is_is_refused(acquire, n):
    with pytest.raises(ValueError, match=f"n = {n}: the pool has 3 rows, so n must be 0 to 3"):
        acquire(pool_of(scores=torch.zeros(3)), NOTHING, n=n, rng=generator())


def test_a_missing_field_is_named():
    with pytest.raises(ValueError, match=r"pool\.scores is missing: declare it with @needs"):
        by_entropy(Predictions(ids(2)), NOTHING, n=1, rng=generator())


def test_a_field_with_another_number_of_rows_is_named():
    pool = pool_of(scores=torch.zeros(3))
    object.__setattr__(pool, "ids", ids(2))
    with pytest.raises(ValueError, match=r"pool.scores \[3\]: 2 ids need as many rows"):
        by_entropy(pool, NOTHING, n=1, rng=generator())


def test_nan_has_no_place_in_an_order():
    pool = pool_of(scores=torch.tensor([1.0, float("nan"), 0.0]))
    with pytest.raises(ValueError, match=r"pool.scores \[3\]: NaN or infinity in row 1"):
        by_entropy(pool, NOTHING, n=1, rng=generator())


@pytest.mark.gpu
def test_a_gpu_pool_is_picked_on_the_gpu():
    scores = torch.randn(1000, generator=generator())
    there = by_entropy(pool_of(scores=scores.cuda()), NOTHING, n=50, rng=generator())
    assert there.rows.is_cuda
    here = by_entropy(pool_of(scores=scores), NOTHING, n=50, rng=generator())
    assert torch.equal(there.rows.cpu(), here.rows)
