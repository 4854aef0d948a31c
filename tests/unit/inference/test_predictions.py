"""Predictions of plain arrays, and scores that take them."""

import functools
import sys

import numpy as np
import pytest
import torch

import alvision.acquisition
from alvision import CONFIG_DIR, acquisition
from alvision.acquisition import k_center, margin, top_k
from alvision.inference.predictions import Predictions

SCORES = ("least_confidence", "margin", "entropy", "bald", "mean_std", "expected_entropy")


@pytest.fixture
def log_probs():
    return torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0)).log_softmax(-1)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_of_an_array_is_an_array_of_the_same_numbers(name, log_probs):
    score = getattr(acquisition, name)
    found = score(log_probs.numpy())
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, score(log_probs).numpy())


def test_a_select_takes_arrays_through_predictions(log_probs):
    pool = Predictions.of(log_probs=log_probs.numpy(), features=np.eye(6))
    none, rng = Predictions(()), torch.Generator()
    assert top_k(pool, none, n=2, rng=rng, score=margin).rows.shape == (2,)
    assert k_center(pool, none, n=2, rng=rng).rows.shape == (2,)


def test_one_pass_needs_no_axis_of_its_own():
    of = functools.partial(Predictions.of, ["a", "b"])
    p = np.array([[0.25, 0.75], [1.0, 0.0]])
    with np.errstate(divide="ignore"):
        by_log = of(log_probs=np.log(p))
    assert torch.equal(by_log.log_probs, of(probabilities=p).log_probs)
    assert torch.equal(of(probabilities=p).log_probs, of(probabilities=p[:, None]).log_probs)
    logits = np.array([[0.0, np.log(3.0)], [1.0, 1.0]])
    assert torch.allclose(
        of(logits=logits).log_probs.exp()[0, 0], torch.tensor([0.25, 0.75]).double()
    )
    assert of(labels=[1, 0]).labels.tolist() == [1, 0]


def test_rows_and_ids_must_agree():
    with pytest.raises(ValueError, match="features: 3 rows for 2 images"):
        Predictions.of(["a", "b"], features=np.eye(3))
    with pytest.raises(ValueError, match="NaN or infinity in row 1"):
        Predictions.of(features=[[0.0], [np.inf]])


def test_a_new_strategy_is_one_function_in_one_file(tmp_path, monkeypatch):
    (tmp_path / "newcomer.py").write_text(
        "from alvision.acquisition.contract import needs\n\n\n"
        "@needs('log_probs')\ndef newest(log_probs):\n    return log_probs.mean((1, 2))\n"
    )
    folders = [*alvision.acquisition.__path__, str(tmp_path)]
    monkeypatch.setattr(alvision.acquisition, "__path__", folders)
    assert acquisition.newest.__name__ == "newest"
    with pytest.raises(AttributeError, match="no attribute 'newer'"):
        _ = acquisition.newer
    del sys.modules["alvision.acquisition.newcomer"]


def test_every_strategy_of_the_folder_is_listed_and_configured():
    found = set()
    for name, module in list(sys.modules.items()):
        if name.rpartition(".")[0] == "alvision.acquisition" and not hasattr(module, "__path__"):
            own = (v for k, v in vars(module).items() if not k.startswith("_"))
            found |= {v.__name__ for v in own if hasattr(v, "needs") and v.__module__ == name}
    assert found <= set(acquisition.__all__)
    text = "".join(path.read_text() for path in CONFIG_DIR.glob("*/*.yaml"))
    assert [name for name in sorted(found) if f"alvision.acquisition.{name}" not in text] == []
