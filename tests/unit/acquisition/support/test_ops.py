"""What bad input gets: the argument, its shape and the offending rows, by name."""

import pytest
import torch

from alvision.acquisition import entropy
from alvision.acquisition.support import ops
from tests.support.pools import NOTHING, pool_of

UNIFORM = torch.zeros(9, 2, 3).log_softmax(-1)


def misshapen(**fields):
    """Make predictions as they are outside the tests, where no shape is checked."""
    predictions = pool_of(labels=torch.zeros(len(next(iter(fields.values()))), dtype=torch.int64))
    for name, values in fields.items():
        object.__setattr__(predictions, name, values)
    return predictions


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(9, 2, 3), r"labelled.log_probs \[9, 2, 3\].*sum to one in rows 0, 1, 2, 3, 4"),
        (torch.zeros(9, 3), r"labelled.log_probs \[9, 3\]: expected \[N, K passes, C classes\]"),
        (UNIFORM[:, :1], r"labelled.log_probs \[9, 1, 3\]: .* needs K >= 2 of them"),
        (UNIFORM.where(torch.arange(9)[:, None, None] != 7, torch.nan), "NaN in row 7"),
    ],
)
def test_bad_log_probs_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        ops.log_probs_of(misshapen(log_probs=values), "labelled", passes=2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_good_log_probs_pass_as_they_are(dtype, monkeypatch):
    monkeypatch.setattr(ops, "_BLOCK_CPU", 12)
    values = UNIFORM.to(dtype)
    assert ops.log_probs_of(pool_of(log_probs=values), "pool") is values


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(3), r"labelled.labels \[3\] of torch.float32: expected \[M\] whole numbers"),
        (torch.tensor([0, -1, 1]), r"labelled.labels \[3\]: classes count from 0 to 1.*row 1"),
        (torch.tensor([0, 1, 2]), r"labelled.labels \[3\]: classes count from 0 to 1.*row 2"),
    ],
)
def test_bad_labels_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        ops.labels_of(misshapen(labels=labels), classes=2)


def test_who_learns_from_labels_needs_one():
    with pytest.raises(ValueError, match=r"labelled \[0\]: no image is labelled"):
        ops.labels_of(NOTHING)
    with pytest.raises(ValueError, match=r"labelled.labels is missing"):
        ops.labels_of(pool_of(features=torch.ones(2, 2)))
    assert ops.labels_of(pool_of(labels=torch.tensor([0, 4]))).tolist() == [0, 4]


def test_features_are_a_table():
    with pytest.raises(ValueError, match=r"pool.features \[4\]: expected \[N, D features\]"):
        ops.features_of(misshapen(features=torch.ones(4)), "pool")
    assert ops.known_features(NOTHING, torch.ones(4, 2)).shape == (0, 2)


def test_scores_are_one_number_a_row():
    with pytest.raises(ValueError, match=r"pool.scores \[4, 2\]: expected \[N\]"):
        ops.scores_of(misshapen(scores=torch.ones(4, 2)), entropy)


def test_an_empty_pool_is_named():
    with pytest.raises(ValueError, match="n = 1: the pool is empty"):
        ops.check_count(1, NOTHING)
    ops.check_count(0, NOTHING)
