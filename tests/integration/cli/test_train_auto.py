"""`alvision train` with `model.training=auto`, and what follows from its model."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from alvision.deploy.bundle.bundle import open_bundle
from alvision.explain.heatmaps import class_activation
from alvision.models.backbones import build
from alvision.training import checkpoint, contest
from tests.integration.conftest import TINY

SETTINGS = [
    *(word for word in TINY if not word.startswith(("model.weights", "budget", "cold_start"))),
    "model.training=auto",
    "trainer.epochs=1",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, name",
    [
        ("frozen", "timm:test_resnet"),
        ("finetune", "timm:test_resnet"),
        ("mean", "timm:test_resnet"),
        ("finetune", "timm:test_vit"),
        ("mean", "timm:test_vit"),
    ],
)
def test_each_kind_becomes_a_bundle(run, tmp_path, monkeypatch, kind, name):
    weights = tmp_path / "weights.pt"
    torch.save(build(name, weights=None, shape=(32, 32)).trunk.state_dict(), weights)
    judge = contest.judge
    monkeypatch.setattr(contest, "judge", lambda said: replace(judge(said), chosen=kind))
    words = ["train", "data.root=parts", *SETTINGS, f"model.weights={weights}", "out=run"]
    words += [f"model.backbone={name}"]
    status, out, err = run(*words)
    assert status == 0, err
    assert f"network: {kind} (" in out and "macro-F1" in out and "fold 1 of 3" in out
    facts = json.loads((tmp_path / "run/final/model.json").read_text())
    assert facts["contest"]["chosen"] == kind and len(facts["contest"]["entries"]) == 3
    status, out, err = run("export", "out=run", "bundle=bundle")
    assert status == 0, err
    bundle = open_bundle(tmp_path / "bundle")
    found = bundle.run(np.zeros((3, 32, 32, 3), np.uint8))
    assert found.logits.shape == (3, 2) and found.finite.all()
    # Of 32 pixels the last stage of the small ResNet leaves one place: the map is an energy.
    assert found.maps.shape[1] == (2 if name == "timm:test_vit" else 1)
    assert found.maps.shape[-1] > 1
    assert "| mean | " in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    content = checkpoint.read(tmp_path / "run/final/model.ckpt")
    trunk = build(name, weights=None, features="multilevel", shape=(32, 32)).trunk
    model = checkpoint.restore(content, None if kind == "frozen" else trunk)
    assert model.kind == kind
    if kind == "mean":
        images, asked = torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
        maps = class_activation(model.module.trunk, model.module.head, images, asked)
        assert maps.ndim == 3 and maps.amax() <= 1
