"""Real bundles whose model is one line: a part is worn if it is brighter than a cut."""

import shutil
from dataclasses import replace

import numpy as np
from PIL import Image

from alvision.config.compose import compose
from alvision.core.rounds import claim
from alvision.data.hashes import file_hash
from alvision.data.image_spec import ImageSpec
from alvision.deploy.bundle.bundle import (
    KNOWN_FEATURES,
    MANIFEST,
    NETWORK,
    REFERENCE_STATISTICS,
    Bundle,
    open_bundle,
)
from alvision.deploy.bundle.manifest import BundleManifest, GoldenImage, NoveltyScale
from alvision.deploy.bundle.signature import signed
from alvision.deploy.bundle.statistics import ReferenceBuilder
from alvision.deploy.bundle.thresholds import dump, write_thresholds
from alvision.deploy.train.labelled_data import import_truth, load_labelled
from alvision.run_folder.experiment_file import describe_run

SIDE = 8
STEEPNESS = 40.0


def shades(folder, ok, worn):
    """Write parts in class folders: `ok` ones from dark to grey, `worn` ones from grey to white."""
    for label, levels in (("ok", np.linspace(5, 115, ok)), ("worn", np.linspace(135, 250, worn))):
        (folder / label).mkdir(parents=True)
        for number, level in enumerate(levels):
            pixels = np.full((SIDE, SIDE, 3), round(level), np.uint8)
            pixels[0, 0] = number % 256, number // 256, 0  # no two files alike
            Image.fromarray(pixels).save(folder / label / f"{number:03d}.png")
    return folder


def shop(folder, count):
    """Return a run on `count` parts of each class: folder, labelled data, configuration."""
    root = shades(folder / "parts", count, count)
    out = f"out={folder / 'run'}"
    composed = compose([f"data.root={root}", 'defects=["worn"]', "audit.share=0.5", out])
    classes = ["ok", "worn"]
    described = describe_run(
        composed.config, composed.choices, "", classes=classes, anonymous=False
    )
    claim(folder / "run", described)
    import_truth(composed.config)
    config = replace(composed.config, classes=classes)
    return folder / "run", load_labelled(config), config


def network(path, cuts):
    """Write an ONNX network with logits steep · (grey - cut), one a class."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name, value):
        return numpy_helper.from_array(np.array(value), name)

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=0),
            helper.make_node("Div", ["mean", "white"], ["grey"]),
            helper.make_node("Reshape", ["grey", "column"], ["shade"]),
            helper.make_node("Sub", ["shade", "cuts"], ["above"]),
            helper.make_node("Mul", ["above", "steep"], ["logits"]),
            helper.make_node("Sub", ["one", "shade"], ["rest"]),
            helper.make_node("Concat", ["shade", "rest"], ["features"], axis=1),
            helper.make_node("Reshape", ["grey", "point"], ["maps"]),
        ],
        "grey",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(cuts)]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 1, 1, 1]),
        ],
        [
            constant("axes", np.array([1, 2, 3], np.int64)),
            constant("white", np.float32(255)),
            constant("column", np.array([-1, 1], np.int64)),
            constant("cuts", np.array(cuts, np.float32)),
            constant("steep", np.array([0.0] + [STEEPNESS] * (len(cuts) - 1), np.float32)),
            constant("one", np.float32(1)),
            constant("point", np.array([-1, 1, 1, 1], np.int64)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def write(
    folder,
    cut,
    run,
    *,
    classes=("ok", "worn"),
    defects=("worn",),
    trained_on=(),
    promise=None,
    golden=(),
) -> Bundle:
    """Write a bundle that calls a part worn from a grey of `cut` (0..1) on.

    `golden` are its golden images: a file's path and the logits that it must give, each.
    """
    folder.mkdir(parents=True)
    network(folder / NETWORK, [0.0] + [cut] * (len(classes) - 1))
    np.save(folder / KNOWN_FEATURES, np.array([[0.5, 0.5]], np.float16))
    ReferenceBuilder(np.array([[0.5, 0.5]], np.float32), 0).write(folder / REFERENCE_STATISTICS)
    for path, _ in golden:
        (folder / "golden").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / "golden" / path.name)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = BundleManifest(
        alvision="test",
        run=str(run),
        name="shades",
        backbone="none",
        classes=tuple(classes),
        defects=tuple(defects),
        image=ImageSpec(SIDE),
        novelty=NoveltyScale(5, 1.0),
        labels={"ok": 3, "worn": 4},
        trained_on=tuple(trained_on),
        labels_hash=f"{cut:.4f}" * 8,
        data_hash="d" * 64,
        tolerance=1e-3,
        golden=tuple(GoldenImage(f"golden/{path.name}", tuple(row)) for path, row in golden),
        files={path.relative_to(folder).as_posix(): file_hash(path) for path in files},
    )
    dump(signed(manifest.to_json()), folder / MANIFEST)
    if promise:
        write_thresholds(folder, file_hash(folder / MANIFEST), promise)
    return open_bundle(folder)
