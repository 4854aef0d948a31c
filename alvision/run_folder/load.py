"""A run's configuration and images, read back from its folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alvision.config.schema import RunConfig, schema
from alvision.core.errors import UserError
from alvision.core.rounds import read_document
from alvision.data.image_spec import ImageSpec
from alvision.data.manifest import Manifest, build


def load_run(root: Path) -> tuple[RunConfig, Manifest | None, ImageSpec]:
    """Return a run's configuration, its images (None if they are gone) and how they are decoded.

    The classes are those that the run has now: people may have added some since it began.

    Raises:
        UserError: The folder is not a run's.
    """
    from omegaconf import OmegaConf

    stored = read_document(root)
    merged = OmegaConf.merge(schema(), stored["config"])
    config: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    config = replace(config, classes=stored["classes"], defects=stored["defects"])
    try:
        manifest = build(config.data)
    except UserError:
        manifest = None
    return config, manifest, ImageSpec.from_config(config.data.image)


def load_run_config_in_place(root: Path) -> RunConfig:
    """Return a run's configuration whose `out` is the folder's name now, to work in it.

    Raises:
        UserError: The folder is not a run's, or its images are gone.
    """
    config, manifest, _ = load_run(root)
    if manifest is None:
        raise UserError(f"the images of {root} are not where they were ({config.data.root})")
    return replace(config, out=str(root))
