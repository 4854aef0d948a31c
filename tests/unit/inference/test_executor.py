import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from alvision.core.errors import UserError
from alvision.inference import executor
from alvision.inference.engine import Engine, resolve_precision
from alvision.inference.executor import Executor
from tests.support.parts import imported

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
CPU = torch.device("cpu")


def made(trunk, kind="eager", batch_size=4, precision="32-true", size=32):
    engine = Engine(CPU, precision, batch_size, kind=kind)
    return Executor(trunk, engine, mean=MEAN, std=STD, shape=(size, size))


def pixels(count=4, size=32):
    return torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (count, size, size, 3), np.uint8)
    )


class Small(nn.Module):
    """A trunk on a device with memory for `most` images."""

    def __init__(self, most):
        super().__init__()
        self.most, self.seen = most, []

    def forward(self, images):
        self.seen.append(len(images))
        if len(images) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return images.mean(dim=(2, 3))


@pytest.mark.parametrize("batch_size", [4, 3])
def test_too_little_memory_halves_the_batch_for_good_and_says_so(caplog, batch_size):
    trunk, batch = Small(1), pixels(batch_size)
    run = made(trunk, batch_size=batch_size)
    with caplog.at_level(logging.WARNING):
        first = run(batch)
    assert torch.equal(first, made(Small(99), batch_size=batch_size)(batch))
    assert "trainer.batch_size" in caplog.text and caplog.text.count("going on") == 2
    trunk.seen.clear()
    assert torch.equal(run(batch), first)
    assert set(trunk.seen) == {1}


def test_no_memory_for_one_image_stops_the_run_in_one_line(caplog):
    with pytest.raises(UserError, match="too little memory for one image"):
        made(Small(0))(pixels())


class Broken(nn.Module):
    """What a compiler made of a trunk."""

    def forward(self, images):
        return images.float().mean(dim=(1, 2)) + 1


def test_an_engine_that_differs_from_eager_is_refused(monkeypatch):
    monkeypatch.setattr(executor, "_compiled", lambda module: Broken())
    with pytest.raises(UserError, match="engine=compile gives other features than eager"):
        made(Small(99), "compile")


def test_an_engine_that_fails_is_told_in_one_line(monkeypatch):
    def fail(module):
        raise RuntimeError("C++ compile error\n\nCommand: g++")

    monkeypatch.setattr(executor, "_compiled", fail)
    with pytest.raises(UserError, match=r"cannot run this network \(RuntimeError: C\+\+ compile"):
        made(Small(99), "compile")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["compile", "openvino"])
def test_every_engine_gives_the_features_of_eager(kind, caplog):
    if kind == "openvino":
        imported("openvino")
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    precision = resolve_precision("auto", CPU)
    expected = made(trunk)(pixels())
    run = made(trunk, kind, precision=precision)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(run, [pixels()] * 4):
            error = (found - expected).norm() / expected.norm()
            assert found.dtype == torch.float32 and error < executor.TOLERANCE[precision]
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert kind == "compile" or not warned
