"""Write a bundle, and check that every form of its network computes what the model does."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.seeding import derive
from alvision.core.version import __version__
from alvision.data.hashes import file_hash
from alvision.data.images import UnreadableImage, load
from alvision.data.threads import ordered_map
from alvision.data.tiles import together
from alvision.deploy.bundle import swap_folder
from alvision.deploy.bundle.backends import (
    FORMATS,
    TOLERANCE,
    Run,
    check,
    tiles_to_onnx,
    to_onnx,
    to_openvino,
    to_torch,
)
from alvision.deploy.bundle.bundle import (
    KNOWN_FEATURES,
    MANIFEST,
    NETWORK,
    REFERENCE_STATISTICS,
    Output,
    open_bundle,
    session,
)
from alvision.deploy.bundle.golden import GOLDEN, try_out, write_golden
from alvision.deploy.bundle.manifest import BundleManifest, GoldenImage, NoveltyScale
from alvision.deploy.bundle.memory_network import MemoryNetwork
from alvision.deploy.bundle.model_card import model_card
from alvision.deploy.bundle.network import Deployed
from alvision.deploy.bundle.predict_script import script
from alvision.deploy.bundle.signature import signed
from alvision.deploy.bundle.statistics import ReferenceBuilder
from alvision.deploy.bundle.thresholds import dump
from alvision.deploy.bundle.tiled_network import TiledNetwork
from alvision.deploy.bundle.verdict import NEIGHBOURS, novelty, strangest, usual_novelty
from alvision.deploy.train.calibration import fit_temperature
from alvision.deploy.train.final_model import FinalModel, check_current
from alvision.models.pair import HeadPair
from alvision.run_folder.initial_model import BUNDLED

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig

BATCH = 16
VERIFIED = 64
"""Images that every backend is checked on, if there are as many."""
KNOWN = 1000
"""Most known images that novelty is measured against: the line compares every part with all."""

KNOWN_IN_TILES = 200
"""The same for photographs in tiles, each of which takes as long as hundreds of images."""

Progress = Callable[[str, int, int], None]
AnyNetwork = Deployed | TiledNetwork | MemoryNetwork


@dataclass(frozen=True)
class Verification:
    """The result of checking a bundle's backends.

    Attributes:
        images: How many images.
        differences: The largest difference of a logit from the model's, by backend.
    """

    images: int
    differences: dict[str, float]


@dataclass(frozen=True)
class NetworkOutputs:
    """The network's outputs for N images: logits [N,C] and features [N,D]."""

    ids: tuple[SampleId, ...]
    logits: np.ndarray
    features: np.ndarray


def export(
    final: FinalModel,
    config: RunConfig,
    folder: Path,
    *,
    format: str = "onnx",
    progress: Progress = lambda what, done, total: None,
) -> Verification:
    """Write a bundle beside `folder`, verify it, and put it in place; an old one is replaced.

    Args:
        final: The final model.
        config: The run's configuration.
        folder: The bundle's folder.
        format: `onnx` (always written), or `openvino` or `torch` beside it.
        progress: Called with (what, done, total).

    Raises:
        UserError: The format is unknown or not installed, the data has no images, `folder` holds
            something else, the run's classes have changed since the training, a backend computes
            something else than the model, or the bundle cannot decide about its golden images.
    """
    if format not in FORMATS:
        raise UserError(f"format={format} is unknown: choose {', '.join(FORMATS)}")
    if format != "onnx" and final.learner.features.spec.tiles is not None:
        raise UserError(f"format={format} has no form for data.image.tiles yet: use format=onnx")
    if final.learner.backbone is None:
        raise UserError("embeddings have no images, so there is no network to export")
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise UserError(f"bundle={folder} exists and is no bundle; name a folder of its own")
    check_current(final, config)
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        verification = _fill(beside, final, config, format, progress)
        try_out(open_bundle(beside))
        with swap_folder.locked(folder):
            swap_folder.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return verification


def _fill(
    folder: Path, final: FinalModel, config: RunConfig, format: str, progress: Progress
) -> Verification:
    """Write every file of a bundle."""
    network = _memory_network(final) if final.memory else _network(final)
    backends = _write_backends(folder, final, network, format)
    known, monitor = _write_reference(folder, final, backends["onnx"], progress)
    most = GOLDEN if isinstance(network, TiledNetwork) else max(VERIFIED, GOLDEN)
    checked = (*monitor.ids, *known.ids)[:most]
    differences = _verify(final, network, backends, checked, progress)
    shown = monitor if len(monitor.ids) >= GOLDEN else known
    paths = [final.labelled.data.manifest.path(id) for id in shown.ids]
    golden = write_golden(folder, paths, shown.logits)
    manifest = _manifest(final, config, network, known, monitor, golden)
    final.learner.save(final.model, folder / BUNDLED)
    _write_documents(folder, manifest, differences, final.facts.contest)
    # Last, because it names the hash of every other file.
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
    dump(signed(replace(manifest, files=hashes).to_json()), folder / MANIFEST)
    return Verification(len(checked), differences)


def _write_backends(
    folder: Path, final: FinalModel, network: AnyNetwork, format: str
) -> dict[str, Run]:
    """Write the network in its forms, and return how to run each of them."""
    shape = final.learner.features.spec.shape
    if isinstance(network, TiledNetwork):
        return {"onnx": tiles_to_onnx(network, shape, folder)}
    to_onnx(network, shape, folder / NETWORK)
    onnx = session((folder / NETWORK).read_bytes())
    backends: dict[str, Run] = {"onnx": lambda pixels: Output(*onnx.run(None, {"pixels": pixels}))}
    if format == "openvino":
        backends[format] = to_openvino(folder)
    elif format == "torch":
        backends[format] = to_torch(network, shape, folder)
    return backends


def _write_reference(
    folder: Path, final: FinalModel, run: Run, progress: Progress
) -> tuple[NetworkOutputs, NetworkOutputs]:
    """Write what novelty and drift are measured against.

    Returns:
        Outputs for known images (their features as written), and for the monitor images.
    """
    known_ids, monitor_ids = _samples(final)
    known = _outputs(final, known_ids, run, "known images", progress)
    if not known.ids:
        raise UserError("none of the training images can be read any more")
    # Half precision halves the file; the limit of novelty is measured with what was kept.
    kept = known.features.astype(np.float16)
    np.save(folder / KNOWN_FEATURES, kept)
    known = replace(known, features=kept.astype(np.float32))
    builder = ReferenceBuilder(known.features, len(monitor_ids))

    def note(pixels: np.ndarray, output: Output) -> None:
        far = strangest(output.maps) if final.memory else novelty(output.features, known.features)
        builder.add(pixels, output.logits, output.features, far)

    monitor = _outputs(final, monitor_ids, run, "monitor images", progress, note)
    builder.write(folder / REFERENCE_STATISTICS)
    return known, monitor


def _manifest(
    final: FinalModel,
    config: RunConfig,
    network: AnyNetwork,
    known: NetworkOutputs,
    monitor: NetworkOutputs,
    golden: tuple[GoldenImage, ...],
) -> BundleManifest:
    """Return the manifest, without the hashes of the files."""
    labels, hashes = final.labelled.held_out, final.labelled.data.hashes
    targets = np.array([final.model.classes.index(labels[id]) for id in monitor.ids], int)
    return BundleManifest(
        classes=tuple(final.model.classes),
        image=final.learner.features.spec,
        novelty=NoveltyScale(NEIGHBOURS, usual_novelty(monitor.features, known.features)),
        files={},
        defects=None if config.defects is None else tuple(config.defects),
        # Fitted anew: the exported network computes in fp32, the learner perhaps in bf16.
        temperature=1.0 if final.memory else fit_temperature(monitor.logits, targets),
        alvision=__version__,
        versions={name: version(name) for name in ("torch", "timm", "onnx", "onnxruntime")},
        run=str(config.out),
        name=config.name or "",
        backbone=config.model.backbone,
        activation_map=_kind_of_map(network),
        labels=final.facts.labels,
        trained_on=tuple(sorted({hashes.get(id, id) for id in final.learned_from})),
        labels_hash=final.facts.labels_hash,
        data_hash=final.facts.data_hash,
        monitor=final.facts.monitor,
        memory=final.facts.memory,
        tolerance=TOLERANCE,
        golden=golden,
    )


def _kind_of_map(network: AnyNetwork) -> str:
    if isinstance(network, MemoryNetwork):
        return "distances"
    return "classes" if network.of_classes else "energy"


def _write_documents(
    folder: Path,
    manifest: BundleManifest,
    differences: dict[str, float],
    contest: Mapping[str, Any] | None,
) -> None:
    """Write what people use without alvision: the script and the model card."""
    (folder / "predict.py").write_text(script(), encoding="utf-8", newline="")
    card = model_card(manifest, differences, contest)
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8", newline="")


def _network(final: FinalModel) -> Deployed | TiledNetwork:
    learner, module = final.learner, final.model.module
    assert learner.backbone is not None and module is not None
    frozen = final.model.kind == "frozen"
    trunk = copy.deepcopy(learner.backbone.trunk if frozen else module.trunk)
    backbone = learner.backbone
    trunk = trunk.cpu().float().to(memory_format=torch.contiguous_format)
    head = copy.deepcopy(module.head).cpu().float()
    normalisation, spec = (backbone.mean, backbone.std), learner.features.spec
    if spec.tiles is None:
        return Deployed(trunk, head, *normalisation, spec.shape)
    assert not isinstance(head, HeadPair), "the features of tiles are never finetuned"
    return TiledNetwork(trunk, head, *normalisation)


def _memory_network(final: FinalModel) -> MemoryNetwork:
    backbone, memory, facts = final.learner.backbone, final.memory, final.facts
    assert backbone is not None and memory is not None and facts.memory is not None
    trunk = copy.deepcopy(final.learner.features.patches.trunk).cpu().float()
    return MemoryNetwork(
        trunk.to(memory_format=torch.contiguous_format),
        memory,
        backbone.mean,
        backbone.std,
        usual=facts.memory.usual,
        defects=[name in (facts.defects or ()) for name in facts.classes],
    )


def _samples(final: FinalModel) -> tuple[list[SampleId], list[SampleId]]:
    """Choose the known images that novelty is measured against, and the labelled monitor images."""
    labelled = final.labelled
    rest = [id for id in labelled.split.pool if id not in labelled.training]
    rest.sort(key=lambda id: derive(0, "known", id))
    trained = sorted(labelled.training, key=lambda id: derive(0, "known", id))
    tiles = final.learner.features.spec.tiles
    known = [*trained, *rest][: KNOWN if tiles is None else KNOWN_IN_TILES]
    monitor = [id for id in labelled.split.monitor if id in labelled.held_out]
    return sorted(known), monitor


def _decoded(
    final: FinalModel, ids: Sequence[SampleId]
) -> Iterator[tuple[tuple[SampleId, ...], np.ndarray]]:
    """Yield batches of the images that can be read: ids, and pixels as `Bundle.run` takes them."""
    manifest, spec = final.labelled.data.manifest, final.learner.features.spec
    size = together(spec, BATCH)

    def one(id: SampleId) -> tuple[SampleId, np.ndarray | None]:
        try:
            return id, load(manifest.path(id), spec)
        except UnreadableImage:
            return id, None

    batch: list[tuple[SampleId, np.ndarray]] = []
    for id, pixels in ordered_map(one, ids, workers=2, ahead=2 * size):
        if pixels is not None:
            batch.append((id, pixels))
        if len(batch) == size:
            yield tuple(i for i, _ in batch), np.stack([p for _, p in batch])
            batch = []
    if batch:
        yield tuple(i for i, _ in batch), np.stack([p for _, p in batch])


def _outputs(
    final: FinalModel,
    ids: Sequence[SampleId],
    run: Run,
    what: str,
    progress: Progress,
    note: Callable[[np.ndarray, Output], None] = lambda pixels, output: None,
) -> NetworkOutputs:
    seen: list[SampleId] = []
    # Empty ones first, so that no image at all gives arrays too.
    logits = [np.empty((0, len(final.model.classes)), np.float32)]
    features: list[np.ndarray] = []
    for names, pixels in _decoded(final, ids):
        seen += names
        output = run(pixels)
        if not output.finite.all():
            broken = names[int(output.finite.argmin())]
            raise UserError(
                f"the network gives NaN or infinity for {broken}: train again, with a lower "
                "learning rate; nothing was exported"
            )
        note(pixels, output)
        logits.append(output.logits)
        features.append(output.features)
        progress(what, len(seen), len(ids))
    joined = np.concatenate(features) if features else np.empty((0, 0), np.float32)
    return NetworkOutputs(tuple(seen), np.concatenate(logits), joined)


def _verify(
    final: FinalModel,
    network: AnyNetwork,
    backends: dict[str, Run],
    ids: Sequence[SampleId],
    progress: Progress,
) -> dict[str, float]:
    """Compare every backend with the model, and return the largest difference of each."""
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
