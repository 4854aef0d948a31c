import numpy as np
import pytest
import torch

from alvision.anomaly.joined import join
from alvision.training.joining import log_odds, with_novelty

BAD = np.array([False, True, True])


def test_the_joined_score_says_how_likely_a_defect_is_and_the_classes_keep_their_shares():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    novelty = torch.arange(1.0, 7.0)
    joined = join(log_odds(logits, BAD).numpy(), novelty.double().numpy(), 4)
    moved = with_novelty(logits, novelty, joined, BAD)
    score = joined(log_odds(logits, BAD).numpy(), novelty.double().numpy())
    assert log_odds(moved, BAD).numpy() == pytest.approx(score, abs=1e-5)
    assert torch.allclose(moved[:, 1] - moved[:, 2], logits[:, 1] - logits[:, 2], atol=1e-5)


def test_a_run_with_novelty_says_it_in_its_predictions(learn, truth, tmp_path):
    learner = learn(defects=["worn"])
    learner.read_novelty(tmp_path / "novelty.npz")
    good = {id: label for id, label in truth.items() if label == "ok"}
    said = learner.predict(learner.fit(good, round=0), tuple(truth))
    novelty = learner.infer(None, said.ids, needs={"novelty"}, round=0).novelty.numpy()
    # No defect is known: the strangest image is the likeliest defect.
    assert (np.diff(said.values[novelty.argsort(), 1]) >= 0).all()
    assert np.ptp(said.values[:, 1]) > 0.1
    model = learner.fit(truth, round=1)
    assert 0 < model.joined.share < 1
    assert learn(defects=["worn"]).fit(truth, round=1).joined is None
    learner.save(model, tmp_path / "model.ckpt")
    again = learner.load(tmp_path / "model.ckpt")
    assert again.joined == model.joined
    assert np.array_equal(
        learner.predict(again, said.ids).values, learner.predict(model, said.ids).values
    )


def test_without_a_good_class_there_is_nothing_to_tell_a_defect_from(learn, truth):
    learner = learn(defects=["ok", "worn"])
    learner.read_novelty(None)
    assert learner.fit(truth, round=0).joined is None
