"""The hot spots of predictions as files: a table of boxes, COCO, and masks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alvision.anomaly.hot_spots import HotSpot, coco, mask
from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import Prediction, strange_pixels
from alvision.deploy.bundle.thresholds import dump

COLUMNS = ("image", "x", "y", "width", "height", "score")
"""Columns of the table; a bundle's `predict.py` writes the same ones."""


@dataclass
class Boxes:
    """Writes hot spots as predictions come; `open_boxes` opens one.

    Attributes:
        bundle: The bundle.
        append: Appends a row to the table.
        masks: Folder of a mask for each image with a hot spot.
        found: Size and hot spots of each image, kept for COCO alone.
        keep: COCO is asked for.
    """

    bundle: Bundle
    append: Any
    masks: Path | None
    keep: bool
    found: dict[str, tuple[tuple[int, int], tuple[HotSpot, ...]]] = field(default_factory=dict)

    def add(self, prediction: Prediction) -> None:
        """Write the hot spots of an image."""
        for spot in prediction.spots:
            self.append(row(prediction.image, spot))
        if self.keep and prediction.size is not None:
            self.found[prediction.image] = prediction.size, prediction.spots
        if self.masks is not None and prediction.spots:
            # The whole name stays in it, because a.png and a.jpg are two photographs.
            path = self.masks / f"{prediction.image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            mask(strange_pixels(self.bundle, prediction), 1.0).save(path)


def row(image: str, spot: HotSpot) -> list[Any]:
    """Return a hot spot as a row of the table."""
    return [image, spot.x, spot.y, spot.width, spot.height, spot.score]


def beside(table: Path) -> Path:
    """Return the table of boxes that belongs to a table of predictions.

    >>> beside(Path("out/p.parquet")).name
    'p.boxes.csv'
    """
    return table.with_name(f"{table.stem}.boxes.csv")


@contextmanager
def open_boxes(
    bundle: Bundle, table: Path, *, coco_file: Path | None = None, masks: Path | None = None
) -> Iterator[Boxes | None]:
    """Open the files of hot spots; None for a bundle that cannot say where they are.

    Args:
        bundle: The bundle.
        table: The table of predictions; the boxes are written beside it.
        coco_file: Write all boxes in COCO's form, too.
        masks: Write a mask of each image with a hot spot into this folder, too.

    Raises:
        UserError: Something is asked for that this bundle cannot say.
    """
    if not bundle.good_only:
        for key, given in (("coco", coco_file), ("masks", masks)):
            if given is not None:
                raise UserError(
                    f"{key}={given} is for a bundle that remembers good parts, and "
                    f"{bundle.folder} tells classes apart: leave it out"
                )
        yield None
        return
    part = beside(table).with_name(f".{beside(table).name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        boxes = Boxes(bundle, writer.writerow, masks, coco_file is not None)
        yield boxes
    part.replace(beside(table))
    if coco_file is not None:
        coco_file.parent.mkdir(parents=True, exist_ok=True)
        found = coco(boxes.found)
        write_atomically(coco_file, lambda path: dump(found, path))
