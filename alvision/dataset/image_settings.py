"""How a data set's images are read: settled once for a run, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.rounds import DOCUMENT, read_document
from alvision.data.image_spec import AUTO, ImageSpec

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.data.manifest import Manifest

NAMED = 5
"""Files that a line names; the tables hold all of them."""


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


def image_notices(manifest: Manifest, spec: ImageSpec) -> tuple[str, ...]:
    """Return what a person should know of how images are read, after a glance at some of them."""
    found = [set_aside_line(manifest.set_aside)] if manifest.set_aside else []
    if manifest.features is None:
        from alvision.data.depth import GLANCE, dark, measure

        if spec.value_range is None and (line := dark(measure(manifest.paths, spec, GLANCE), spec)):
            found.append(line)
    return tuple(found)


def set_aside_line(set_aside: Mapping[str, str]) -> str:
    """Say which files are left out, and why.

    >>> set_aside_line({"b.png": "file is empty", "a.png": "not an image"})
    '2 files are set aside: a.png (not an image), b.png (file is empty)'
    """
    named = [f"{name} ({reason})" for name, reason in sorted(set_aside.items())[:NAMED]]
    more = len(set_aside) - len(named)
    files = "1 file is" if len(set_aside) == 1 else f"{len(set_aside):,} files are"
    return f"{files} set aside: {', '.join(named)}" + (f" and {more:,} more" if more else "")


def _kept(root: Path) -> list[float] | None:
    """Return the range of the run in a folder; None if none has begun there, or it has none."""
    if not (root / DOCUMENT).exists():
        return None
    found: list[float] | None = read_document(root)["config"]["data"]["image"]["value_range"]
    return found
