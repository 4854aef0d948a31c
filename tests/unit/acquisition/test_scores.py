import functools
import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import (
    bald,
    entropy,
    expected_entropy,
    least_confidence,
    margin,
    mean_std,
    variation_ratio,
)
from alvision.acquisition.support import ops
from tests.support.pools import log_probs

UNCERTAINTY = [least_confidence, margin, entropy, variation_ratio]
DISAGREEMENT = [bald, mean_std]
SCORES = [*UNCERTAINTY, *DISAGREEMENT, expected_entropy]
by_name = functools.partial(pytest.mark.parametrize, ids=lambda score: score.__name__)


def plain(score, log_p):
    """Compute a score row by row and pass by pass with the math module, as its formula says."""
    result = []
    for row in log_p.double().exp().tolist():
        mean = [sum(column) / len(row) for column in zip(*row, strict=True)]

        def h(p):
            return -sum(v * math.log(v) for v in p if v > 0)

        best = [*sorted(mean, reverse=True), 0.0]
        result.append(
            {
                "least_confidence": 1 - best[0],
                "variation_ratio": 1 - best[0],
                "margin": 1 - (best[0] - best[1]),
                "entropy": h(mean),
                "bald": h(mean) - sum(map(h, row)) / len(row),
                "expected_entropy": sum(map(h, row)) / len(row),
                "mean_std": sum(statistics.pstdev(c) for c in zip(*row, strict=True)) / len(mean),
            }[score.__name__]
        )
    return torch.tensor(result, dtype=torch.float64)


def mixture():
    """Twenty passes from (.7, .1, .1, .1) to (.3, .3, .2, .2), in equal steps."""
    first, last = torch.tensor([0.7, 0.1, 0.1, 0.1]), torch.tensor([0.3, 0.3, 0.2, 0.2])
    return torch.lerp(first, last, torch.linspace(0, 1, 20)[:, None])[None].log()


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (entropy, 1.2376),
        (expected_entropy, 1.2069),
        (bald, 0.0307),
        (variation_ratio, 0.5),
        (least_confidence, 0.5),
        # Steps of 1/19 between the ends: their deviation times the mean of .4, .2, .1 and .1.
        (mean_std, (399 / 12) ** 0.5 / 19 * 0.2),
    ],
)
def test_golden_values(score, value):
    assert float(score(mixture())) == pytest.approx(value, abs=5e-5)


def test_entropy_is_what_is_known_of_the_label_and_of_the_model():
    values = torch.randn(40, 6, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    torch.testing.assert_close(entropy(values), bald(values) + expected_entropy(values))


@by_name("score", SCORES)
@settings(max_examples=12)
@given(values=log_probs(min_passes=2))
def test_every_score_is_its_formula(score, values):
    before = values.clone()
    scores = score(values)
    assert scores.shape == (len(values),)
    assert torch.equal(values, before)
    torch.testing.assert_close(scores.double(), plain(score, values), rtol=1e-4, atol=2e-5)
    assert (scores >= 0).all()


@by_name("score", UNCERTAINTY)
@settings(max_examples=8)
@given(values=log_probs())
def test_a_single_pass_is_enough_for_uncertainty(score, values):
    torch.testing.assert_close(score(values).double(), plain(score, values), rtol=1e-4, atol=2e-5)


@by_name("score", SCORES)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float16, 5e-3), (torch.bfloat16, 4e-2)])
def test_half_precision_is_computed_in_fp32(score, dtype, close):
    values = torch.randn(50, 6, 10, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    scores = score(values.to(dtype))
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, score(values), rtol=0, atol=close)


@by_name("score", UNCERTAINTY)
def test_certain_rows_keep_an_order_that_rounding_would_tie(score):
    # Computed as 1 - p in fp32 both would be exactly 0.
    odds = torch.tensor([[40.0, 0.0], [20.0, 0.0]])[:, None].repeat(1, 2, 1)
    odds[1, 0, 0] = 30.0
    certain, less_certain = score(odds.log_softmax(-1)).tolist()
    assert 0 <= certain < less_certain < 1e-6


# mean_std is a mean over all classes, possible or not.
@by_name("score", [score for score in SCORES if score is not mean_std])
def test_impossible_classes_count_for_nothing(score):
    p = torch.tensor([[[0.6, 0.4], [0.3, 0.7]]])
    wide = torch.cat([p, torch.zeros(1, 2, 3)], dim=-1)
    torch.testing.assert_close(score(wide.log()), score(p.log()))


@by_name("score", SCORES)
def test_the_split_of_the_work_does_not_show(score, monkeypatch):
    values = torch.randn(97, 3, 4, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    whole = score(values)
    monkeypatch.setattr(ops, "_BLOCK_CPU", 5 * 12)
    assert torch.equal(score(values), whole)


@by_name("score", SCORES)
def test_equal_rows_score_equal_wherever_they_stand(score):
    row = torch.randn(1, 5, 7, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    assert len(set(score(row.repeat(1000, 1, 1)).tolist())) == 1


def test_pure_disagreement_is_what_bald_is_for():
    # Ranking it by the entropy of the single passes would give it 0.
    disagree = torch.eye(2)[[0, 1] * 10]
    flip = torch.full((20, 2), 0.5)
    scores = bald(torch.stack([disagree, flip]).log())
    assert scores.tolist() == pytest.approx([math.log(2), 0.0], abs=1e-6)


@by_name("score", DISAGREEMENT)
def test_passes_that_agree_score_zero(score):
    row = torch.randn(6, 1, 9, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    assert score(row.repeat(1, 20, 1)).tolist() == pytest.approx([0.0] * 6, abs=1e-6)


@by_name("score", DISAGREEMENT)
def test_one_pass_is_refused_for_it_would_score_zero_everywhere(score):
    named = rf"log_probs \[4, 1, 3\]: {score.__name__} compares passes and needs K >= 2.*dropout"
    with pytest.raises(ValueError, match=named):
        score(torch.zeros(4, 1, 3).log_softmax(-1))


def test_expected_entropy_is_blind_to_disagreement():
    disagree, flip = torch.eye(2)[[0, 1] * 10], torch.full((20, 2), 0.5)
    scores = expected_entropy(torch.stack([disagree, flip]).log()).tolist()
    assert scores == pytest.approx([0.0, math.log(2)], abs=1e-6)


def test_margin_is_high_where_the_gap_is_small():
    p = torch.tensor([[[0.5, 0.5, 0.0]], [[0.6, 0.2, 0.2]], [[1.0, 0.0, 0.0]]])
    assert margin(p.log()).tolist() == pytest.approx([1.0, 0.6, 0.0])


@by_name("score", SCORES)
@pytest.mark.parametrize("bad", [float("inf"), 0.0])
def test_rows_that_are_no_distributions_are_named(score, bad):
    values = torch.zeros(9, 2, 3).log_softmax(-1)
    values[[4, 7], 1, 2] = bad
    with pytest.raises(ValueError, match=r"log_probs \[9, 2, 3\].*rows 4, 7; give log_softmax"):
        score(values)


def test_offending_rows_are_named_across_blocks_but_not_all(monkeypatch):
    monkeypatch.setattr(ops, "_BLOCK_CPU", 4)
    with pytest.raises(ValueError, match="rows 0, 1, 2, 3, 4 and 15 more"):
        entropy(torch.zeros(20, 1, 2))


@pytest.mark.parametrize("shape", [(3, 2), (3, 0, 2), (3, 2, 0)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"expected \[N, K passes, C classes\]"):
        ops.map_rows(torch.zeros(shape), lambda p, log_p: p[:, 0, 0])


@by_name("score", SCORES)
def test_an_empty_pool_has_no_scores(score):
    assert score(torch.zeros(0, 3, 2)).shape == (0,)


@pytest.mark.gpu
@by_name("score", SCORES)
@settings(max_examples=5)
@given(seed=st.integers(0, 99))
def test_a_gpu_gives_the_same(score, seed):
    noise = torch.randn(500, 4, 10, generator=torch.Generator().manual_seed(seed))
    values = noise.log_softmax(-1)
    scores = score(values.cuda())
    assert scores.is_cuda
    torch.testing.assert_close(scores.cpu(), score(values), rtol=1e-4, atol=1e-5)


def test_nested_lists_are_taken_as_arrays_are():
    log_probs = torch.tensor([[[0.7, 0.3], [0.2, 0.8]]], dtype=torch.float64).log()
    assert bald(log_probs.tolist()).tolist() == bald(log_probs.numpy()).tolist()
    with pytest.raises(ValueError, match="nested lists must hold numbers"):
        bald([[[0.0, 1.0], [0.0]]])


def test_nan_is_called_nan():
    log_probs = torch.full((3, 2, 2), 0.5).log()
    log_probs[1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"log_probs \[3, 2, 2\]: NaN in row"):
        bald(log_probs.numpy())
