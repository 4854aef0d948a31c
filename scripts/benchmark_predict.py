"""Measure how fast a bundle sorts photographs, against the pass over a pool in the same precision.

    python scripts/benchmark_predict.py [--quick] [--json FILE] [--write]

The bundle holds the network of the pool pass, exported to ONNX, and `alvision predict`'s stream of
rows is timed: reading, the reference decoder, the network with its activation maps, probabilities,
verdict and novelty against 1,000 known images. The page of pictures that follows is not: its cost
is that of 500 pictures, whatever the number of images. The pool pass runs in fp32 on eager PyTorch,
with its own faster decoder, and yields features. Weights are random, and the features are compared
before a figure is given. The two take turns and the best counts; `--quick` takes one turn.
"""

from __future__ import annotations

from pathlib import Path

import figures
import numpy as np
import torch
from pool_task import BATCH, CLASSES, CORES, CPU, PAGE, POOL, SIZE, SPEC, networks, photographs

from alvision.data.hashes import file_hash
from alvision.data.images import load
from alvision.deploy.bundle.backends import to_onnx
from alvision.deploy.bundle.bundle import KNOWN_FEATURES, NETWORK, REFERENCE_STATISTICS, Bundle
from alvision.deploy.bundle.manifest import BundleManifest, NoveltyScale
from alvision.deploy.bundle.network import Deployed
from alvision.deploy.bundle.predict import predict
from alvision.deploy.bundle.prediction_table import row
from alvision.inference.engine import Engine
from alvision.inference.pool import trunk_features
from alvision.models.backbones import Backbone
from alvision.models.heads import Head

KNOWN = 1000
FILES = (NETWORK, KNOWN_FEATURES, REFERENCE_STATISTICS)


def bundle_of(backbone: Backbone, folder: Path) -> Bundle:
    """Export a network with a random head, for two classes of which one is a defect."""
    head = Head(backbone.width, CLASSES)
    network = Deployed(backbone.trunk, head, backbone.mean, backbone.std, (SIZE, SIZE))
    folder.mkdir()
    to_onnx(network, (SIZE, SIZE), folder / NETWORK)
    known = np.random.default_rng(0).normal(size=(KNOWN, backbone.width))
    np.save(folder / KNOWN_FEATURES, known.astype(np.float16))
    np.savez(folder / REFERENCE_STATISTICS, facts=np.zeros((KNOWN, 1), np.float32))
    names = tuple(f"kind-{number}" for number in range(CLASSES))
    scale = NoveltyScale(neighbours=5, usual=1.0)
    files = {name: file_hash(folder / name) for name in FILES}
    return Bundle(folder, BundleManifest(names, SPEC, scale, files, defects=names[1:]))


def pool_pass(paths: list[Path], backbone: Backbone) -> torch.Tensor:
    chunks = trunk_features(
        backbone.trunk, [(path.name, path) for path in paths], SPEC,
        Engine(CPU, "32-true", BATCH, CORES, kind="eager"),
        mean=backbone.mean, std=backbone.std, set_aside={},
    )  # fmt: skip
    return torch.cat([features for _, features in chunks])


def throughput(quick: bool) -> list[figures.Figure]:
    own, exported = networks()
    with photographs() as paths:
        root = paths[0].parent
        bundle = bundle_of(exported, root.parent / "bundle")

        def sort() -> int:
            return sum(bool(row(bundle, one)) for one in predict(bundle, paths, root, maps=True))

        few = paths[:BATCH]
        theirs = bundle.run(np.stack([load(path, SPEC) for path in few])).features
        error = np.linalg.norm(pool_pass(few, own).numpy() - theirs) / np.linalg.norm(theirs)
        assert error < 0.05, f"the features differ by {error:.0%}"  # a grey level of decoding
        assert sum(1 for _ in predict(bundle, few, root)) == len(few)
        turns = 1 if quick else 3
        found = figures.best(turns, {"own": sort, "pool": lambda: pool_pass(paths, own)})
    return [
        figures.figure(
            "predict with a bundle on a processor, against the pool pass in fp32",
            "images/s", POOL / found["own"], POOL / found["pool"], 1.0,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    figures.main(__doc__, {"throughput": throughput}, (PAGE, "predict"))
