"""`predict`: a bundle over a folder of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.core.errors import UserError
from alvision.core.uris import Place

if TYPE_CHECKING:
    from alvision.data.storage.stored_path import ImagePath

USAGE = """\
alvision predict bundle=brakes.bundle images=incoming/ to=predictions.csv
alvision predict bundle=brakes.bundle images=s3://bucket/incoming to=predictions.parquet

Writes one row an image: class, verdict, defect score, novelty, calibrated
probabilities, and the reason where an image cannot be read. Beside the table it
writes a page with the 500 most telling pictures and their heatmaps. Memory does
not grow with the number of images. Sealed test images of a folder that people label
are left out. A bundle of good parts also writes a table of the places that are unlike
them, <table>.boxes.csv: image, x, y, width, height, score, in pixels of the upright
photograph; a score of 1 is just unusual. coco= and masks= write the same in other
forms. Status 1 if an image could not be read."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Options):
    """The words of `predict`."""

    command = "predict"
    example = "alvision predict bundle=brakes.bundle images=incoming/ to=predictions.csv"

    bundle: Path = option("The bundle that predicts.")
    images: Place = option("The folder or prefix of photographs, subfolders included.")
    to: Path = option(
        "The table, .csv or .parquet; the page is written beside it.",
        default=Path("predictions.csv"),
    )
    coco: Path | None = option("Also write the boxes in COCO's form, .json.", default=None)
    masks: Path | None = option(
        "Also write a mask of each photograph with a box into this folder.", default=None
    )


OPTIONS = (PredictOptions,)


def predict(words: list[str]) -> int:
    """Run a bundle over a folder; return 1 if an image cannot be read."""
    options = PredictOptions.parse(words)

    from alvision.data.storage.stored_path import place
    from alvision.deploy.bundle.box_table import beside, open_boxes
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.predict import images_in
    from alvision.deploy.bundle.prediction_table import write_table
    from alvision.reporting import predictions

    bundle = open_bundle(options.bundle)
    folder = place(options.images)
    paths = _unsealed(images_in(folder), folder)
    where = open_boxes(bundle, options.to, coco_file=options.coco, masks=options.masks)
    with where as boxes, bar("predicting") as progress:
        table = write_table(bundle, paths, folder, options.to, boxes=boxes, progress=progress)
    page, counts = options.to.with_suffix(".html"), table.counts
    predictions.write(bundle, table.shown, folder, counts, page)
    verdicts = ", ".join(f"{count} {name}" for name, count in counts.items())
    console.print(f"{len(paths)} images: {verdicts}", markup=False)
    console.print(f"table: {options.to}, page: {page}", markup=False)
    if bundle.good_only:
        files = {"boxes": beside(options.to), "coco": options.coco, "masks": options.masks}
        console.print(
            ", ".join(f"{name}: {path}" for name, path in files.items() if path), markup=False
        )
    return int(bool(counts.get("unreadable")))


def _unsealed(paths: list[ImagePath], folder: ImagePath) -> list[ImagePath]:
    """Leave out sealed test images: people would correct just those that the model gets wrong.

    Raises:
        UserError: All images are sealed.
    """
    from alvision.dataset.sealed_images import sealed_among

    sealed = sealed_among(paths, folder)
    if not sealed:
        return paths
    if len(sealed) == len(paths):
        raise UserError(
            f"images={folder} holds sealed test images only, which are for alvision threshold: "
            "name a folder of other photographs"
        )
    console.print(
        f"left out: {len(sealed)} sealed test images, which are for alvision threshold only"
    )
    return [path for path in paths if path not in sealed]
