"""The forms that the benchmark compares give the same results, at a small size."""

import sys

import numpy as np
import pytest
import torch

from tests.support import PROJECT
from tests.unit.acquisition.joint import information

sys.path.append(str(PROJECT / "scripts"))
import benchmark_acquisition
import blocks
from acquisition_rows import badge, batch_bald, coverage, frame, k_center, scores


def test_the_k_centers_that_are_compared_agree(tmp_path):
    own = k_center.ours(60, 8, 20)()
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(own, k_center.brute_force(60, 8, 20, dtype)())
    features = k_center.features(59, 8).half()
    path = tmp_path / "features.fp16"
    features.numpy().tofile(path)
    assert len(set(k_center.memory_map(60, 8, 20, str(path))().tolist())) == 20


@pytest.mark.parametrize("name", scores.PLAIN)
def test_the_scores_that_are_compared_agree(name):
    own, plain = scores.ours(name, 50, 4, 3)(), scores.plain(name, 50, 4, 3)()
    torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["max_herding", "uncertainty_herding"])
def test_the_herdings_that_are_compared_agree(name):
    assert torch.equal(coverage.ours(name, 60, 8, 10)(), coverage.plain_greedy(name, 60, 8, 10)())


def test_covers_that_are_compared_hold_as_many_rows():
    options = {"radius": coverage.RADIUS}
    rows = coverage.ours("prob_cover", 60, 8, 5, **options)()
    plain = coverage.plain_greedy("prob_cover", 60, 8, 5)()
    assert 5 < coverage.covered(60, 8, rows.numpy()) == coverage.covered(60, 8, plain.numpy())
    assert len(set(coverage.ours("typiclust", 60, 8, 5)().tolist())) == 5


def test_the_forms_of_badge_that_are_compared_agree():
    (own, chances), (dense, others) = badge.ours(40, 5, 6, 12)(), badge.dense(40, 5, 6, 12)()
    assert torch.equal(own, dense)
    torch.testing.assert_close(chances, others, rtol=1e-3, atol=1e-6, check_dtype=False)


def test_what_a_batch_attains_is_estimated_near_its_exact_information():
    values = batch_bald.log_probs(30, 8, 3)
    rows, gains = batch_bald.ours(30, 8, 3, 4)()
    exact = information(values.exp()[rows])
    assert batch_bald.information(values[rows], 20_000) == pytest.approx(exact, abs=0.03)
    assert float(gains.sum()) == pytest.approx(exact, abs=1e-3)


def test_the_page_has_the_block_that_the_benchmark_fills():
    text = benchmark_acquisition.PAGE.read_text(encoding="utf-8")
    assert "new" in blocks.replace_block(text, "benchmark", "new")


def test_what_is_attained_counts_up_to_rounding():
    assert frame.reached("work", "nats", 2.0 - 1e-9, 2.0)["ratio"] == 1
    assert frame.reached("work", "nats", 1.9, 2.0)["ratio"] == pytest.approx(0.95)


def make(numbers):
    return lambda: {"sum": torch.zeros(numbers).add(1).sum()}


@pytest.mark.slow
def test_a_task_alone_tells_its_result_and_its_own_memory():
    large = frame.alone(make, 20_000_000, repeats=2)
    assert large.result["sum"] == np.float32(20_000_000)
    assert 60 < large.memory < large.peak
    assert large.seconds > 0 and large.cpu > 0
