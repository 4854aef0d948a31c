"""Training and inference on two ranks of this machine's processor."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch

from alvision.config.schema import ModelConfig
from alvision.core import stopping
from tests.unit.training.conftest import ON_CPU, TINY, state

pytestmark = pytest.mark.slow

# No batch norm, whose statistics are each rank's own: then two ranks do what one does.
NET = ModelConfig(
    backbone="timm:test_convnext", weights=None, training="finetune", passes=3, drop_path=None
)
PLAIN = replace(ON_CPU, augment="none", epochs=2, batch_size=8)
TWO = replace(PLAIN, devices=2, strategy="ddp")


def test_two_ranks_train_and_infer_like_one(learn, truth):
    one, two = learn(NET, PLAIN), learn(NET, TWO)
    models = [learner.fit(truth, round=1) for learner in (one, two)]
    for name, value in state(models[0]).items():
        assert torch.allclose(value, state(models[1])[name], atol=2e-4), name
    ids = tuple(truth)[::-1]
    needs = {"log_probs", "features"}
    alone, shared = (learner.infer(models[1], ids, needs=needs, round=1) for learner in (one, two))
    assert alone.ids == shared.ids == ids
    assert torch.allclose(alone.log_probs, shared.log_probs, atol=1e-5)
    assert torch.allclose(alone.features, shared.features, atol=1e-5)


def test_two_ranks_train_a_network_with_weights_like_one(learn, truth, tmp_path):
    """Its lowest layers do not learn, and its weights are averaged."""
    file = tmp_path / "weights.pt"
    torch.save(learn(NET, PLAIN).backbone.trunk.state_dict(), file)
    given = replace(NET, weights=str(file))
    models = [learn(given, trainer).fit(truth, round=1) for trainer in (PLAIN, TWO)]
    for name, value in state(models[0]).items():
        assert torch.allclose(value, state(models[1])[name], atol=5e-4), name


def test_a_frozen_trunk_runs_on_ranks_and_its_head_trains_here(learn, truth, monkeypatch, tmp_path):
    features, models = [], []
    for trainer in (PLAIN, TWO):
        monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / str(trainer.devices)))
        learner = learn(TINY, trainer)
        features.append(learner.infer(None, tuple(truth), needs={"features"}, round=0).features)
        models.append(learner.fit(truth, round=1))
    assert torch.allclose(*features, atol=1e-5)
    for name, value in state(models[0]).items():
        assert torch.allclose(value, state(models[1])[name], atol=1e-3), name


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_to_the_waiting_process_ends_its_ranks(learn, truth, monkeypatch):
    monkeypatch.setattr(stopping, "_stop", stopping._Stop())
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def send():
        while len(multiprocessing.active_children()) < 2:
            time.sleep(0.1)
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGTERM)

    endless = replace(TWO, epochs=100_000, validation_share=0.0)  # no early stopping either
    learner = learn(NET, endless)
    threading.Thread(target=send, daemon=True).start()
    try:
        stopping.listen()
        with pytest.raises(KeyboardInterrupt):
            learner.fit(truth, round=1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert multiprocessing.active_children() == []
