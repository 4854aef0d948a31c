"""How a data set's images are read: settled once for a run, and what a person should know of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.rounds import DOCUMENT, read_document
from alvision.data.image_spec import AUTO, ImageSpec

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.manifest import Manifest


def settled(config: RunConfig, manifest: Manifest) -> RunConfig:
    """Return the configuration with numbers in place of `data.image.value_range=auto`.

    They are those of the run in `out`, if it has begun; else they are measured on the images.

    Raises:
        UserError: The images have no depth that could be measured.
    """
    image = config.data.image
    if image.value_range != AUTO:
        return config
    found = _kept(Path(str(config.out)))
    if found is None and manifest.features is None:
        from alvision.data.depth import automatic, measure

        plain = ImageSpec.from_config(replace(image, value_range=None))
        measured = automatic(measure(manifest.paths, plain))
        found = [float(value) for value in measured] if measured else None
    image = replace(image, value_range=found)
    return replace(config, data=replace(config.data, image=image))


def dark_images(manifest: Manifest, spec: ImageSpec) -> str | None:
    """Say that the images are read nearly black, after a glance at some of them; else None."""
    if manifest.features is not None or spec.value_range is not None:
        return None
    from alvision.data.depth import GLANCE, dark, measure

    return dark(measure(manifest.paths, spec, GLANCE), spec)


def _kept(root: Path) -> list[float] | None:
    """Return the range of the run in a folder; None if none has begun there, or it has none."""
    if not (root / DOCUMENT).exists():
        return None
    found: list[float] | None = read_document(root)["config"]["data"]["image"]["value_range"]
    return found
