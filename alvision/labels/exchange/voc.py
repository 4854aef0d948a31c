"""Pascal VOC: one XML file an image, with its objects."""

from __future__ import annotations

from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.walk import files_below
from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_xml import read_xml


def read(place: Path) -> list[ForeignImage]:
    """Return the images of a folder of annotations, or of one file.

    Raises:
        UserError: A file is not an annotation of VOC, or two are about one image.
    """
    files = [place] if place.is_file() else sorted(annotations_below(place))
    seen: dict[str, str] = {}
    images = []
    for file in files:
        top = read_xml(file)
        if top.tag != "annotation":
            raise top.wrong(f"<{top.tag}> is not an annotation of Pascal VOC")
        name = top.child_text("filename")
        if name in seen:
            raise UserError(
                f"{file}: {seen[name]} is about {name!r} too: keep one; nothing was imported"
            )
        seen[name] = file.name
        classes = tuple(one.child_text("name") for one in top.named("object"))
        images.append(ForeignImage(name, classes, str(file)))
    return images


def annotations_below(folder: Path) -> list[Path]:
    """Return the XML files below a folder."""
    return [file for file in files_below(folder) if file.suffix.lower() == ".xml"]
