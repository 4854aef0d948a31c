import functools

import pytest
import torch

from alvision.acquisition import entropy, margin, power_sampling, properties_of
from tests.support.pools import NOTHING, generator, pool_of
from tests.unit.acquisition.support.test_draws import one_by_one

by_entropy = functools.partial(power_sampling, score=entropy)


def drawn(scores, n, seed=0, **settings):
    pool = pool_of(scores=torch.tensor(scores))
    return by_entropy(pool, NOTHING, n=n, rng=generator(seed), **settings)


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        ({}, lambda s: s),
        ({"coldness": 2.0}, lambda s: s**2),
        ({"coldness": 0.0}, lambda s: float(s > 0)),
        ({"form": "softmax"}, lambda s: 2.718281828459045**s),
        ({"form": "softmax", "coldness": 3.0}, lambda s: 20.085536923187668**s),
    ],
)
def test_chances_grow_with_the_score_as_the_form_says(settings, weight):
    scores = [0.5, 0.0, 2.0, 1e-6, 1.25]
    pick = drawn(scores, 5, **settings)
    expected = one_by_one([weight(s) for s in scores], pick.rows.tolist())
    assert pick.propensity.tolist() == pytest.approx(expected, rel=1e-5)
    assert pick.scores.tolist() == pytest.approx([scores[row] for row in pick.rows])


def test_golden_chances():
    # Of scores 1 and 3 the power form draws the second first with 3 / 4.
    chances = {
        int(p.rows[0]): float(p.propensity[0]) for p in (drawn([1.0, 3.0], 1, s) for s in range(40))
    }
    assert chances == pytest.approx({0: 0.25, 1: 0.75})


def test_a_large_coldness_is_top_k():
    scores = torch.rand(40, generator=generator()).tolist()
    rows = drawn(scores, 10, coldness=1e6).rows
    assert rows.tolist() == torch.tensor(scores).argsort(descending=True)[:10].tolist()


def test_the_softmax_form_takes_any_number_and_does_not_overflow():
    pick = drawn([-3e4, 0.0, 3e4], 3, form="softmax", coldness=100.0)
    assert pick.rows.tolist() == [2, 1, 0]
    assert pick.propensity.tolist() == [1.0, 1.0, 1.0]


def test_the_certain_are_not_favoured_with_margin():
    p = torch.tensor([[0.99, 0.01], [0.5, 0.5]])[:, None]
    pool = pool_of(scores=margin(p.log()))
    acquire = functools.partial(power_sampling, pool, NOTHING, n=1, score=margin)
    first = [int(acquire(rng=generator(seed)).rows) for seed in range(30)]
    assert sum(first) > 24


def test_a_select_that_draws_is_not_deterministic():
    assert properties_of(by_entropy) == {"sampled", "uncertainty"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coldness": -1.0}, "coldness = -1.0: expected a number from 0 on"),
        ({"coldness": float("nan")}, "coldness = nan"),
        ({"form": "rank"}, "form = 'rank': expected power or softmax"),
        ({}, r"pool.scores \[3\]: negative in row 1.*form=softmax"),
    ],
)
def test_settings_and_scores_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        drawn([0.0, -1.0, 2.0], 1, **settings)
