"""A small real bundle, made without training a network: random filters, and a fitted last layer."""

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from alvision.data.hashes import file_hash
from alvision.data.image_spec import ImageSpec
from alvision.deploy.bundle.bundle import (
    KNOWN_FEATURES,
    MANIFEST,
    NETWORK,
    REFERENCE_STATISTICS,
    session,
)
from alvision.deploy.bundle.manifest import BundleManifest, NoveltyScale
from alvision.deploy.bundle.signature import signed
from alvision.deploy.bundle.statistics import ReferenceBuilder
from alvision.deploy.bundle.thresholds import dump
from alvision.deploy.bundle.verdict import NEIGHBOURS, novelty, usual_novelty
from tests.conftest import paint

SIDE, FILTERS = 32, 24


def network(weight: np.ndarray, bias: np.ndarray, path: Path) -> None:
    """Write pixels -> 24 random filters -> mean responses (features) -> a linear layer (logits)."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    filters = rng.normal(size=(FILTERS, 3, 5, 5)).astype(np.float32) / 5
    filters -= filters.mean(axis=(1, 2, 3), keepdims=True) - 0.01  # none is silent on all images
    arrays = {
        "filters": filters,
        "weight": weight.astype(np.float32),
        "bias": bias.astype(np.float32),
        "scale": np.float32([255.0]),
        "flat": np.int64([0, -1]),
    }
    steps = [
        helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["values", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "filters"], ["raw"], strides=[2, 2]),
        helper.make_node("Relu", ["raw"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Reshape", ["means", "flat"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ("logits", "features", "maps")
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["b", SIDE, SIDE, 3])
    graph = helper.make_graph(
        steps,
        "small",
        [pixels],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def make(folder: Path, *, known: int = 120, held_out: int = 120) -> Path:
    """Write a bundle that tells ok from worn parts, as `paint` draws them."""
    folder.mkdir(parents=True)

    def drawn(first: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(n) % 4 == 0
        images = [paint(first + i, "worn" if worn else "ok") for i, worn in enumerate(labels)]
        return np.stack([np.asarray(image) for image in images]), labels.astype(int)

    path = folder / NETWORK
    pixels, labels = drawn(100_000, known)
    network(np.zeros((FILTERS, 2)), np.zeros(2), path)
    _, features, _ = session(path.read_bytes(), 1).run(None, {"pixels": pixels})
    mean, spread = features.mean(0), features.std(0)
    fitted = LogisticRegression(C=10).fit((features - mean) / spread, labels)
    weight = fitted.coef_[0] / spread
    bias = float(fitted.intercept_[0] - weight @ mean)
    network(np.stack([-weight, weight], 1) / 2, np.array([-bias, bias]) / 2, path)
    kept = features.astype(np.float16)
    np.save(folder / KNOWN_FEATURES, kept)
    notes = ReferenceBuilder(kept.astype(np.float32), held_out)
    monitor, _ = drawn(200_000, held_out)
    logits, monitor_features, _ = session(path.read_bytes(), 1).run(None, {"pixels": monitor})
    strange = novelty(monitor_features, kept.astype(np.float32))
    notes.add(monitor, logits, monitor_features, strange)
    notes.write(folder / REFERENCE_STATISTICS)
    scale = usual_novelty(monitor_features, kept.astype(np.float32))
    manifest = BundleManifest(
        classes=("ok", "worn"),
        defects=("worn",),
        image=ImageSpec(SIDE),
        novelty=NoveltyScale(NEIGHBOURS, scale),
        name="small",
        files={file.name: file_hash(file) for file in sorted(folder.iterdir())},
    )
    dump(signed(manifest.to_json()), folder / MANIFEST)
    return folder
