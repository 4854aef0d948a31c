"""How a data set's images are read: settled once for a run, and what a person should know of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT, read_document
from alvision.data.image_spec import AUTO, ImageSpec

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.manifest import Manifest


def settled(config: RunConfig, manifest: Manifest) -> RunConfig:
    """Return the configuration with numbers in place of what a run settles when it begins.

    That is `data.image.size=null`, the size that the network was made for, and
    `data.image.value_range=auto`, which is measured on the images. They are those of the run in
    `out`, if it has begun.

    Raises:
        UserError: The network does not say its size, or the images have no depth to be measured.
    """
    image = config.data.image
    if image.size is not None and image.value_range != AUTO:
        return config
    kept = _kept(Path(str(config.out)))
    if image.size is None:
        image = replace(image, size=kept["size"] if kept else _made_for(config.model.backbone))
    if image.value_range == AUTO:
        found = kept["value_range"] if kept else None
        if found is None and manifest.features is None:
            from alvision.data.depth import automatic, measure

            plain = ImageSpec.from_config(replace(image, value_range=None))
            measured = automatic(measure(manifest.paths, plain))
            found = [float(value) for value in measured] if measured else None
        image = replace(image, value_range=found)
    return replace(config, data=replace(config.data, image=image))


def _made_for(backbone: Any) -> int | list[int]:
    """Return the size that a network was made for, as `data.image.size` has it."""
    if not isinstance(backbone, str):
        raise UserError(
            "data.image.size=null takes the size that a network of timm or torchvision was made "
            "for; set data.image.size for one of your own"
        )
    from alvision.models.names import own_size  # here, because timm takes seconds to import

    height, width = own_size(backbone)
    return height if height == width else [height, width]


def dark_images(manifest: Manifest, spec: ImageSpec) -> str | None:
    """Say that the images are read nearly black, after a glance at some of them; else None."""
    if manifest.features is not None or spec.value_range is not None:
        return None
    from alvision.data.depth import GLANCE, dark, measure

    return dark(measure(manifest.paths, spec, GLANCE), spec)


def _kept(root: Path) -> dict[str, Any] | None:
    """Return how the run in a folder reads images; None if none has begun there."""
    if not (root / DOCUMENT).exists():
        return None
    found: dict[str, Any] = read_document(root)["config"]["data"]["image"]
    return found
