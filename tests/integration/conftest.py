"""A command in a clean folder, with a tiny network of random weights."""

import pytest

from alvision.cli import main

TINY = [
    "model.backbone=timm:test_resnet",
    "model.weights=null",
    "data.image.size=32",
    "trainer=cpu",
    "trainer.head_steps=20",
    "model.passes=4",
    "budget.initial=6",
    "budget.batch=4",
    "budget.rounds=2",
    "cold_start.per_class=0",
]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, parts):
    """Return a function that runs a command in a clean folder: (status, out, err)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        status = main(list(words))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call
