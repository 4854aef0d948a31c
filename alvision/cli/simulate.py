"""The simulation of `check simulate`: which defects a configuration can still see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.anomaly.detection_limit import DetectionLimit
    from alvision.config.schema import RunConfig
    from alvision.core.records import SampleId
    from alvision.data.checks import Finding
    from alvision.data.image_spec import ImageSpec
    from alvision.data.manifest import Manifest

PROMISE = (
    "These defects are synthetic: they were drawn by the computer. They say what the setting can "
    "see at all, and promise nothing about the defects of a line."
)


def simulated(
    config: RunConfig,
    manifest: Manifest,
    hashes: Mapping[SampleId, str],
    spec: ImageSpec,
    tell: Callable[[int, int], None],
) -> Finding:
    """Draw synthetic defects on the good photographs, and say which of them are seen.

    Raises:
        UserError: There are no images, or too few good ones; or the network cannot be read.
    """
    if manifest.features is not None:
        raise UserError(
            "simulate draws defects on photographs, and these data have none: name a folder of "
            "them, data.root=..."
        )
    from alvision.anomaly.detection_limit import detection_limit
    from alvision.inference import engine
    from alvision.inference.executor import Executor
    from alvision.models.patches import WithPatches
    from alvision.training.initial import initial_backbone

    chosen = engine.choose(config.trainer, config.model.engine, progress=False)
    backbone = initial_backbone(config.model, config.seed, spec.shape)
    trunk = WithPatches(backbone.trunk, str(config.model.backbone), spec.shape)
    run = Executor(trunk, chosen, mean=backbone.mean, std=backbone.std, shape=spec.shape)
    import torch

    found = detection_limit(
        _good(config, manifest, hashes),
        spec,
        trunk.grid,
        lambda frames: run(torch.from_numpy(frames))[:, backbone.width :].unflatten(
            1, (-1, trunk.width)
        ),
        seed=config.seed,
        tell=tell,
    )
    return _finding(found, config, spec)


def _good(config: RunConfig, manifest: Manifest, hashes: Mapping[SampleId, str]) -> dict:
    """Return the files of the photographs that are believed good, copies once.

    Where classes are known, those of no defect; where none is, all: the memory leaves the strangest
    out.
    """
    known = any(manifest.truth)
    if known and config.defects is None:
        raise UserError(
            "classes are known, so simulate needs to know which are defects: name them, "
            "defects=[...]"
        )
    bad = set(config.defects or ())
    good = {
        hashes[id]: path
        for id, path, label in zip(manifest.ids, manifest.paths, manifest.truth, strict=True)
        if id in hashes and (not known or (label is not None and label not in bad))
    }
    if not good:
        raise UserError(
            "there is no good photograph to draw on: every class that is known is in defects="
        )
    return good


def _finding(found: DetectionLimit, config: RunConfig, spec: ImageSpec) -> Finding:
    from alvision.anomaly.detection_limit import CONTRASTS
    from alvision.data.checks.findings import Finding, Table
    from alvision.data.synthetic import KINDS

    rows: dict[tuple[str, int], list[str]] = {}
    for cell in found.cells:
        row = rows.setdefault((cell.kind, cell.size), [cell.kind, f"{cell.size} px"])
        row.append(cell.word)
    columns = ("synthetic defect", "size", *(f"{one} grey levels" for one in CONTRASTS))
    limits = []
    for kind in KINDS:
        least = found.smallest(kind)
        said = f"from {least.size} px at {least.contrast} grey levels" if least else "not seen"
        limits.append(f"{kind} {said}")
    tiles = "no tiles" if spec.tiles is None else f"data.image.tiles={spec.tiles}"
    return Finding(
        "note",
        f"synthetic defects that can be seen: {', '.join(limits)}",
        f"Setting: data.image.size={spec.sides}, {tiles}, model.backbone={config.model.backbone}. "
        f"Sizes are pixels of the photograph. Drawn on {found.shown} good photographs, of which "
        f"{found.hot} have a hot spot without any defect; the memory is of {found.memory} others. "
        f"yes: seen in 9 of 10 or more; no: in fewer than half.",
        f"{PROMISE} A larger data.image.size, or data.image.tiles=auto, sees smaller ones.",
        table=Table(columns, tuple(tuple(row) for row in rows.values())),
    )
