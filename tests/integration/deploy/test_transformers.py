"""DINOv2's network, with random weights, through the whole chain: from images to a watched line."""

import csv

import numpy as np
import pytest
import torch

from alvision.cli import main
from alvision.data.images import load
from alvision.deploy.bundle.backends import to_onnx
from alvision.deploy.bundle.bundle import open_bundle, session
from alvision.deploy.bundle.network import Deployed
from alvision.models.backbones import build
from alvision.models.heads import Head
from tests.conftest import paint
from tests.support.parts import imported

pytestmark = pytest.mark.slow

MODEL = [
    "model.backbone=vit_small_patch14_dinov2.lvd142m", "model.weights=null", "data.image.size=70",
    "trainer=cpu",
]  # fmt: skip


def test_images_become_a_bundle_that_sorts_a_line(tmp_path, monkeypatch, capsys):
    imported("onnxruntime")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "cache"))
    for folder, label, count in (("parts/ok", "ok", 40), ("parts/worn", "worn", 40)):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(count):
            paint(i + 1000 * len(label), label).save(tmp_path / folder / f"{i:03d}.png")
    (tmp_path / "inbox").mkdir()
    for i, label in enumerate(("ok", "worn") * 3):
        paint(5000 + i, label).save(tmp_path / "inbox" / f"{i}.png")
    budget = ["budget.initial=8", "budget.batch=8", "budget.rounds=1"]
    assert main(["run", "data.root=parts", *MODEL, *budget, "out=r"]) == 0
    train = ["train", "data.root=parts", "defects=[worn]", "audit.share=0.4", "out=t"]
    assert main([*train, *MODEL, "trainer.epochs=4"]) == 0
    assert main(["export", "out=t", "bundle=b"]) == 0
    bundle = open_bundle(tmp_path / "b")
    golden = bundle.manifest.golden[0]
    output = bundle.run(load(tmp_path / "b" / golden.file, bundle.spec)[None])
    assert np.allclose(output.logits[0], golden.logits, atol=1e-4)
    assert output.maps.shape == (1, 2, 5, 5) and bundle.manifest.activation_map == "classes"
    assert main(["predict", "bundle=b", "images=inbox", "to=said.csv"]) == 0
    with (tmp_path / "said.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["ok", "worn"] * 3
    assert main(["watch", "bundle=b", "images=inbox", "to=line", "once=true"]) == 0
    assert sorted(p.name for p in (tmp_path / "line").rglob("*.png")) == [
        f"{i}.png" for i in range(6)
    ]


@pytest.mark.parametrize(
    ("name", "features", "shape"),
    [
        ("vit_small_patch16_dinov3.lvd1689m", "multilevel", (64, 96)),
        ("convnext_small.dinov3_lvd1689m", "final", (64, 64)),
        ("swin_tiny_patch4_window7_224.ms_in1k", "final", (64, 64)),
        ("resnet18.a1_in1k", "multilevel", (64, 64)),
        ("vit_b_32", "final", (64, 64)),
    ],
)
def test_an_exported_network_computes_what_torch_does(name, features, shape, tmp_path):
    imported("onnxruntime")
    torch.manual_seed(0)
    backbone = build(name, None, features, shape=shape)
    head = Head(backbone.width, 3)
    network = Deployed(backbone.trunk, head, backbone.mean, backbone.std, shape)
    to_onnx(network, shape, tmp_path / "m.onnx")
    run = session((tmp_path / "m.onnx").read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = [value.numpy() for value in network(torch.from_numpy(pixels))]
    for rows in (slice(0, 1), slice(0, 3)):
        found = run.run(None, {"pixels": pixels[rows]})
        for value, output in zip(expected, found, strict=True):
            scale = max(1.0, float(abs(value).max()))
            assert np.allclose(output, value[rows], atol=1e-3 * scale)
