"""A run's configuration and images, read back from its folder."""

from __future__ import annotations

from pathlib import Path

from alvision.config.schema import RunConfig
from alvision.core.errors import UserError
from alvision.core.rounds import read_document
from alvision.data.image_spec import ImageSpec
from alvision.data.manifest import Manifest, build


def saved(root: Path) -> tuple[RunConfig, Manifest | None, ImageSpec]:
    """Read back a run's configuration, and its images where they still are."""
    from omegaconf import OmegaConf

    stored = read_document(root)
    merged = OmegaConf.merge(OmegaConf.structured(RunConfig), stored["config"])
    config: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    config.classes, config.defects = stored["classes"], stored["defects"]
    try:
        manifest = build(config.data)
    except UserError:
        manifest = None
    return config, manifest, ImageSpec.from_config(config.data.image)


def of_run(root: Path) -> RunConfig:
    """Read back a run's configuration, to work in its folder."""
    config, manifest, _ = saved(root)
    config.out = str(root)
    if manifest is None:
        raise UserError(f"the images of {root} are not where they were ({config.data.root})")
    return config
