"""Write a bundle, and let every backend prove that it decides as the model does."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.core.version import __version__
from alvision.data.images import UnreadableImage, load
from alvision.data.threads import ordered_map
from alvision.deploy.bundle.backends import (
    FORMATS,
    TOLERANCE,
    Run,
    check,
    to_onnx,
    to_openvino,
    to_torch,
)
from alvision.deploy.bundle.bundle import (
    ABOUT,
    FORMAT,
    NETWORK,
    REFERENCE,
    USUAL,
    Output,
    dump,
    file_hash,
    session,
)
from alvision.deploy.bundle.model_card import card
from alvision.deploy.bundle.network import Deployed
from alvision.deploy.bundle.novelty import NEIGHBOURS, usual
from alvision.deploy.bundle.predict_script import script
from alvision.deploy.bundle.statistics import ReferenceBuilder
from alvision.deploy.bundle.swap_folder import locked, replace
from alvision.deploy.train.calibration import fit_temperature
from alvision.deploy.train.final_model import Final

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

BATCH = 16
VERIFIED = 64
KNOWN = 1000
GOLDEN = 8


@dataclass(frozen=True)
class Seen:
    """Images that a backend was run on: N ids, pixels [N,H,W,3] and outputs."""

    ids: tuple[SampleId, ...]
    outputs: Output


def export(
    final: Final,
    config: RunConfig,
    folder: Path,
    *,
    format: str = "onnx",
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Any]:
    """Write a bundle beside `folder`, verify it, and put it in place; an old one is replaced.

    Args:
        final: The final model.
        config: The run's configuration.
        folder: The bundle's folder.
        format: `onnx` (always written), or `openvino` or `torch` beside it.
        progress: Called with (what, done, total).

    Returns:
        What the verification found: `images`, and for each backend the largest difference of a
        logit.

    Raises:
        UserError: The format is unknown or not installed, the data has no images, `folder` holds
            something else, or a backend decides otherwise than the model.
    """
    if format not in FORMATS:
        raise UserError(f"format={format} is none of {', '.join(FORMATS)}")
    if final.learner.backbone is None:
        raise UserError("embeddings have no images, so there is no network to export")
    if folder.exists() and not (folder / ABOUT).is_file():
        raise UserError(f"bundle={folder} is there and is no bundle; name a folder of its own")
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        found = _fill(beside, final, config, format, progress)
        with locked(folder):
            replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return found


def _fill(
    beside: Path,
    final: Final,
    config: RunConfig,
    format: str,
    progress: Callable[[str, int, int], None],
) -> dict[str, Any]:
    network = _network(final)
    to_onnx(network, final.learner.features.spec.size, beside / NETWORK)
    onnx = session(beside / NETWORK)
    backends: dict[str, Run] = {"onnx": lambda pixels: Output(*onnx.run(None, {"pixels": pixels}))}
    if format == "openvino":
        backends[format] = to_openvino(beside)
    elif format == "torch":
        backends[format] = to_torch(network, final.learner.features.spec.size, beside)
    known, monitor = _samples(final)
    reference = _outputs(final, known, backends["onnx"], "known images", progress)
    if not reference.ids:
        raise UserError("none of the images that were trained on can be read any more")
    kept = reference.outputs.features.astype(np.float16)
    np.save(beside / REFERENCE, kept)
    notes = ReferenceBuilder(kept.astype(np.float32), len(monitor))
    judged = _outputs(final, monitor, backends["onnx"], "monitor images", progress, notes.add)
    notes.write(beside / USUAL)
    checked = (*judged.ids, *reference.ids)[: max(VERIFIED, GOLDEN)]
    differences = _verify(final, network, backends, checked, progress)
    golden = _golden(final, judged if len(judged.ids) >= GOLDEN else reference, beside)
    labels, hashes = final.labelled.held_out, final.labelled.data.hashes
    targets = [final.model.classes.index(labels[id]) for id in judged.ids]
    about = {
        "format": FORMAT,
        "alvision": __version__,
        "versions": {n: version(n) for n in ("torch", "timm", "onnx", "onnxruntime")},
        "run": str(config.out),
        "name": config.name,
        "backbone": config.model.backbone,
        "classes": list(final.model.classes),
        "defects": config.defects,
        "image": final.learner.features.spec.to_dict(),
        "temperature": fit_temperature(_softmax(judged.outputs.logits), np.array(targets, int)),
        "activation_map": "classes" if network.of_classes else "energy",
        "novelty": {
            "neighbours": NEIGHBOURS,
            "usual": usual(judged.outputs.features, kept.astype(np.float32)),
        },
        "labels": final.about["labels"],
        "trained_on": sorted({hashes.get(id, id) for id in final.labelled.training}),
        "labels_hash": final.about["labels_hash"],
        "data_hash": final.about["data_hash"],
        "monitor": final.about["monitor"],
        "tolerance": TOLERANCE,
        "golden": golden,
    }
    (beside / "predict.py").write_text(script(), encoding="utf-8", newline="")
    card_text = card(about, differences)
    (beside / "MODEL_CARD.md").write_text(card_text, encoding="utf-8", newline="")
    files = sorted(p for p in beside.rglob("*") if p.is_file())
    about["files"] = {p.relative_to(beside).as_posix(): file_hash(p) for p in files}
    dump(about, beside / ABOUT)
    return {"images": len(checked), "differences": differences}


def _network(final: Final) -> Deployed:
    learner, module = final.learner, final.model.module
    assert learner.backbone is not None and module is not None
    frozen = learner.model.training == "frozen"
    trunk = copy.deepcopy(learner.backbone.trunk if frozen else module.trunk)
    backbone = learner.backbone
    return Deployed(
        trunk.cpu().float().to(memory_format=torch.contiguous_format),
        copy.deepcopy(module.head).cpu().float(),
        backbone.mean,
        backbone.std,
        learner.features.spec.size,
    )


def _samples(final: Final) -> tuple[list[SampleId], list[SampleId]]:
    """Choose the images that stand for what is known, and the monitor images with labels."""
    labelled = final.labelled
    rest = [id for id in labelled.split.pool if id not in labelled.training]
    rest.sort(key=lambda id: derive(0, "known", id))
    trained = sorted(labelled.training, key=lambda id: derive(0, "known", id))
    known = [*trained, *rest][:KNOWN]
    return sorted(known), [id for id in labelled.split.monitor if id in labelled.held_out]


def _decoded(
    final: Final, ids: Sequence[SampleId]
) -> Iterator[tuple[tuple[SampleId, ...], np.ndarray]]:
    """Yield batches of the images that can be read, as the reference transform reads them."""
    manifest, spec = final.labelled.data.manifest, final.learner.features.spec

    def one(id: SampleId) -> tuple[SampleId, np.ndarray | None]:
        try:
            return id, load(manifest.path(id), spec)
        except UnreadableImage:
            return id, None

    batch: list[tuple[SampleId, np.ndarray]] = []
    for id, pixels in ordered_map(one, ids, workers=2, ahead=2 * BATCH):
        if pixels is not None:
            batch.append((id, pixels))
        if len(batch) == BATCH:
            yield tuple(i for i, _ in batch), np.stack([p for _, p in batch])
            batch = []
    if batch:
        yield tuple(i for i, _ in batch), np.stack([p for _, p in batch])


def _outputs(
    final: Final,
    ids: Sequence[SampleId],
    run: Run,
    what: str,
    progress: Callable[[str, int, int], None],
    note: Callable[[np.ndarray, np.ndarray, np.ndarray], None] = lambda *batch: None,
) -> Seen:
    seen: list[SampleId] = []
    parts: list[Output] = []
    for names, pixels in _decoded(final, ids):
        seen += names
        logits, features, _ = run(pixels)
        note(pixels, logits, features)
        parts.append(Output(logits, features, np.empty(0, np.float32)))
        progress(what, len(seen), len(ids))
    if not parts:
        empty = np.empty((0, len(final.model.classes)), np.float32)
        return Seen((), Output(empty, np.empty((0, 0), np.float32), np.empty(0, np.float32)))
    logits, features = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return Seen(tuple(seen), Output(logits, features, np.empty(0, np.float32)))


def _verify(
    final: Final,
    network: Deployed,
    backends: dict[str, Run],
    ids: Sequence[SampleId],
    progress: Callable[[str, int, int], None],
) -> dict[str, float]:
    """Compare every backend with the model, image by image."""
    worst = dict.fromkeys(backends, 0.0)
    done = 0
    for names, pixels in _decoded(final, ids):
        with torch.inference_mode():
            expected = network(torch.from_numpy(pixels))[0].numpy()
        done += len(names)
        progress("verifying", done, len(ids))
        for backend, run in backends.items():
            found = run(pixels).logits
            check(expected, found, backend, names)
            worst[backend] = max(worst[backend], float(abs(found - expected).max()))
    return worst


def _golden(final: Final, seen: Seen, folder: Path) -> list[dict[str, Any]]:
    """Copy images over the whole range of scores, with the logits that they must give."""
    (folder / "golden").mkdir()
    order = np.argsort(seen.outputs.logits[:, -1], kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(GOLDEN, len(order))).round().astype(int)]
    golden = []
    for number, row in enumerate(dict.fromkeys(rows.tolist()), start=1):
        source = final.labelled.data.manifest.path(seen.ids[row])
        file = f"golden/{number}{source.suffix.lower()}"
        shutil.copyfile(source, folder / file)
        golden.append({"file": file, "logits": seen.outputs.logits[row].astype(float).tolist()})
    return golden


def _softmax(logits: np.ndarray) -> np.ndarray:
    values = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return values / values.sum(axis=1, keepdims=True)
