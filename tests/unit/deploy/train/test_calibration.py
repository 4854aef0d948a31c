import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from alvision.deploy.train.calibration import FEWEST, calibrated, fit_temperature, reliability
from alvision.evaluation.metrics import expected_calibration_error


def drawn(temperature, n=4000, classes=3):
    """Return what an over- or underconfident model says, and labels that follow the truth."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n, classes))
    truth = softmax(logits, axis=1)
    targets = (truth.cumsum(1) > rng.uniform(size=(n, 1))).argmax(1)
    return logits * temperature, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_it_finds_the_temperature_that_was_put_in(temperature):
    said, targets = drawn(temperature)
    assert fit_temperature(said, targets) == pytest.approx(temperature, rel=0.08)


def test_few_labels_give_no_temperature():
    said, targets = drawn(3.0, FEWEST - 1)
    assert fit_temperature(said, targets) == 1


@given(st.floats(0.1, 10))
def test_a_temperature_changes_no_called_class(temperature):
    said, _ = drawn(1.0, 50)
    told = calibrated(said, temperature)
    assert (told.argmax(1) == said.argmax(1)).all()
    assert np.allclose(told.sum(1), 1)


@pytest.mark.parametrize("gap", [10, 40, 60, 100, 400])
def test_an_overconfident_network_is_calibrated_whatever_its_gap(gap):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 600)
    called = np.where(rng.random(600) < 0.9, targets, 1 - targets)
    logits = np.zeros((600, 2), np.float32)
    logits[np.arange(600), called] = gap * (1 + 0.2 * rng.normal(size=600))
    temperature = fit_temperature(logits, targets)
    right = (called == targets).mean()
    # The mean gap has to become the one that is right so often.
    assert temperature == pytest.approx(gap / np.log(right / (1 - right)), rel=0.15)
    told = calibrated(logits, temperature)
    assert told.max(1).mean() == pytest.approx(right, abs=0.015)
    error = expected_calibration_error(told.max(1), told.argmax(1) == targets)
    assert error < 0.06


def test_an_impossible_class_stays_impossible():
    assert calibrated(np.array([[-np.inf, 0.3, 0.7]]), 2.0)[0, 0] == 0


def test_the_bins_of_an_honest_model_lie_on_the_diagonal():
    bins = reliability(softmax(drawn(1.0)[0], axis=1), drawn(1.0)[1])
    assert sum(b.count for b in bins) == 4000
    assert all(abs(b.confidence - b.accuracy) < 0.08 for b in bins if b.count > 200)
