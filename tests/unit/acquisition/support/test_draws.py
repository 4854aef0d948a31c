import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition.support.draws import draw_many, draw_one
from tests.support.pools import generator


def one_by_one(weights, rows):
    """Return the chance of each row among those not drawn before it, as the rule says."""
    weights, chances = list(weights), []
    left = set(range(len(weights)))
    for row in rows:
        total = math.fsum(weights[i] for i in left)
        chances.append(weights[row] / total if total else 1 / len(left))
        left.remove(row)
    return chances


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 0.5, 1.0, 3.0, 1e9]), max_size=9), st.data())
def test_each_chance_is_that_among_the_rows_left(weights, data):
    n = data.draw(st.integers(0, len(weights)))
    log_weights = torch.tensor(weights, dtype=torch.float64).log()
    rows, chances = draw_many(log_weights, n, generator(data.draw(st.integers(0, 99))))
    assert len(set(rows.tolist())) == n
    assert chances.tolist() == pytest.approx(one_by_one(weights, rows.tolist()), rel=1e-9)


def test_rows_of_no_weight_come_last_and_alike():
    log_weights = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0]).log()
    last = torch.zeros(5)
    for seed in range(100):
        rows, _ = draw_many(log_weights, 5, generator(seed))
        assert set(rows.tolist()[:3]) == {1, 3, 4}
        last[rows[-1]] += 1
    assert abs(last[0] - 50) < 5 * 25**0.5


def test_orders_are_drawn_as_often_as_their_chances_say():
    weights, seen = [1.0, 2.0, 5.0], {}
    for seed in range(400):
        rows, chances = draw_many(torch.tensor(weights).log(), 2, generator(seed))
        expected = float(chances.prod())
        count, _ = seen.get(tuple(rows.tolist()), (0, 0))
        seen[tuple(rows.tolist())] = count + 1, expected
    assert len(seen) == 6
    for count, chance in seen.values():
        assert abs(count - 400 * chance) < 5 * (400 * chance * (1 - chance)) ** 0.5


def test_one_row_is_drawn_by_weight():
    weights, left = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([False, True, True])
    count = torch.zeros(3)
    for seed in range(200):
        row, chance = draw_one(weights, left, generator(seed))
        assert chance == pytest.approx(float(weights[row]) / 4)
        count[row] += 1
    assert count[0] == 0
    assert abs(count[1] - 50) < 5 * (200 * 0.25 * 0.75) ** 0.5


def test_where_nothing_weighs_the_rows_left_are_alike():
    left = torch.tensor([True, False, True, True])
    drawn = [draw_one(torch.zeros(4), left, generator(seed)) for seed in range(60)]
    assert {row for row, _ in drawn} == {0, 2, 3}
    assert {chance for _, chance in drawn} == {1 / 3}
