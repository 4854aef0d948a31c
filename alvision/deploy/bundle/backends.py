"""The forms in which a bundle holds its network, and the check that they compute the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.deploy.bundle.bundle import NETWORK, Output, session
from alvision.deploy.bundle.run_tiles import BAG, run_tiles
from alvision.deploy.bundle.tiled_network import TiledNetwork

FORMATS = ("onnx", "openvino", "torch")
TOLERANCE = 1e-3
"""Largest difference of a logit from the model's, as a share of the largest logit.

Runtimes add float32 numbers in different orders; a wrong operator is off by far more.
"""

Run = Callable[[np.ndarray], Output]


def to_onnx(network: nn.Module, shape: tuple[int, int], path: Path) -> None:
    """Write a network as ONNX, for any number of images at once.

    Args:
        network: From pixels to logits, features and maps, e.g. `Deployed`.
        shape: Height and width of its images.
        path: The file.

    Raises:
        UserError: The extra is not installed.
    """
    example = torch.zeros(2, *shape, 3, dtype=torch.uint8)
    _write_onnx(network, "pixels", example, ["logits", "features", "maps"], path)


def tiles_to_onnx(network: TiledNetwork, shape: tuple[int, int], folder: Path) -> Run:
    """Write both graphs of a network for tiles and return how to run them.

    Args:
        network: From pixels to logits, features and maps, e.g. `Deployed`.
        shape: Height and width of a tile.
        folder: The bundle's folder.

    Raises:
        UserError: The extra is not installed.
    """
    example = torch.zeros(2, *shape, 3, dtype=torch.uint8)
    tiles = network.photograph.tiles
    _write_onnx(tiles, "pixels", example, ["features"], folder / NETWORK)
    with torch.no_grad():
        features = tiles(example)
    _write_onnx(network.bag, "tiles", features, ["logits", "features", "heat"], folder / BAG)
    first, second = (session((folder / name).read_bytes()) for name in (NETWORK, BAG))
    return lambda pixels: Output(*run_tiles(first, second, pixels[0]))


def _write_onnx(
    network: nn.Module, name: str, example: torch.Tensor, outputs: Sequence[str], path: Path
) -> None:
    """Write a network with one input of any length, without the exporter's notes."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError("exporting needs more packages: pip install alvision[export]") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes=[{0: torch.export.Dim("batch")}],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    strip_notes(path)


def strip_notes(path: Path) -> None:
    """Remove the notes that an exporter leaves in an ONNX file.

    They hold stack traces with the paths of the machine that exported it, which are nobody's
    business where the bundle goes, and they are larger than a small network.
    """
    import onnx

    model = onnx.load(path)
    _clear_notes(model)
    onnx.save(model, path)


def _clear_notes(message: Any) -> None:
    """Clear `metadata_props` and `doc_string` in a protobuf message and all that it contains."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE:
            for part in [value] if hasattr(value, "ListFields") else value:
                _clear_notes(part)


def to_openvino(folder: Path) -> Run:
    """Write a bundle's network for OpenVINO and return how to run it.

    Raises:
        UserError: The extra is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise UserError("format=openvino needs OpenVINO: pip install alvision[openvino]") from None
    path = folder / "openvino" / "model.xml"
    path.parent.mkdir()
    core = openvino.Core()
    # Not convert_model, because it sends usage data to its maker.
    openvino.save_model(core.read_model(folder / NETWORK), path, compress_to_fp16=False)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(path), "CPU", exact)

    def run(pixels: np.ndarray) -> Output:
        found = compiled({0: pixels})
        return Output(*(found[compiled.output(i)] for i in range(3)))

    return run


def to_torch(network: nn.Module, shape: tuple[int, int], folder: Path) -> Run:
    """Write a network as an exported program of torch and return how to run it."""
    path = folder / "model.pt2"
    example = torch.zeros(2, *shape, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network, (example,), dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}}
        )
        # As in `strip_notes`: the trace of a node names the paths of this machine.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        torch.export.save(program, path)
        module = torch.export.load(path).module()

    def run(pixels: np.ndarray) -> Output:
        with torch.inference_mode():
            return Output(*(value.numpy() for value in module(torch.from_numpy(pixels))))

    return run


def check(expected: np.ndarray, found: np.ndarray, backend: str, ids: Sequence[SampleId]) -> None:
    """Refuse a backend whose logits differ, or that names another class even once.

    Args:
        expected: The model's logits, [B, C].
        found: The backend's.
        backend: Its name.
        ids: The images.

    Raises:
        UserError: Names the backend, the image and the difference.
    """
    gaps = abs(found - expected).max(axis=1)
    row = int(gaps.argmax())
    if not gaps[row] <= TOLERANCE * max(1.0, float(abs(expected).max())):
        raise UserError(
            f"{backend} does not compute what the model does: a logit of {ids[row]} is off by "
            f"{gaps[row]:.2g}; nothing was exported"
        )
    flipped = np.flatnonzero(found.argmax(axis=1) != expected.argmax(axis=1))
    if len(flipped):
        raise UserError(
            f"{backend} names another class than the model on {ids[int(flipped[0])]}; "
            "nothing was exported"
        )
