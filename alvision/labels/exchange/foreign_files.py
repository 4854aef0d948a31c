"""Files for other tools: the labels that there are, and the next batch to label."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.records import QueryRow, SampleId
from alvision.core.rounds import write_atomically
from alvision.core.walk import left_behind
from alvision.labels.boxes import Box
from alvision.labels.csv_dialect import write_table
from alvision.labels.exchange import coco, cvat, fiftyone, label_studio
from alvision.labels.exchange.folders import folder_name
from alvision.labels.exchange.import_answers import neutral_name

if TYPE_CHECKING:
    from alvision.data.storage.stored_path import ImagePath

Copy = Callable[[SampleId, Path, str], Path | None]
"""Writes an image that browsers show into a folder, under a name without suffix."""
BATCH_FORMATS = ("cvat", "label_studio", "fiftyone", "folders", "csv")


def write_labels(
    labels: Mapping[SampleId, str],
    to: Path,
    form: str,
    *,
    path_of: Callable[[SampleId], ImagePath | None],
    size_of: Callable[[ImagePath], tuple[int, int]],
    classes: Sequence[str],
    boxes: Mapping[SampleId, Sequence[Box]],
) -> int:
    """Write the class of each image for another tool; images are named by their ids.

    Args:
        labels: The class of each image.
        to: The file; for FiftyOne a folder.
        form: `coco`, `cvat` or `fiftyone`.
        path_of: Returns an image's file; None if there is none.
        size_of: Returns width and height of a picture.
        classes: The class names.
        boxes: The boxes that people drew; only COCO's file holds them.

    Returns:
        The number of images.

    Raises:
        UserError: An image has no file, or the place cannot be written.
    """
    names = list(dict.fromkeys([*classes, *sorted(labels.values())]))
    files = {id: _file(id, path_of) for id in labels}
    if form == "fiftyone":
        _write(to / "labels.json", _json(fiftyone.content(labels, names)))
        _write(to / "data.json", _json({id: str(file.resolve()) for id, file in files.items()}))
        return len(labels)
    sizes = {id: size_of(file) for id, file in files.items()}
    if form == "cvat":
        _write(to, cvat.content(sizes, labels))
    else:
        _write(to, _json(coco.content(labels, sizes, names, boxes)))
    return len(labels)


def write_batch(
    rows: Sequence[QueryRow],
    to: Path,
    format: str,
    *,
    round: int,
    classes: Sequence[str],
    hashes: Mapping[SampleId, str],
    copy: Copy,
    size_of: Callable[[Path], tuple[int, int]],
) -> None:
    """Write the images that wait for an answer as a batch for another tool.

    Copies are named by the image's content, because a path may reveal the class.

    Args:
        rows: The images, in the order in which people see them.
        to: A new folder; for `csv` a new file.
        format: One of `BATCH_FORMATS`.
        round: The round that asks.
        classes: The class names.
        hashes: The sha256 of each image.
        copy: Copies a picture.
        size_of: Returns width and height of a picture.

    Raises:
        UserError: The folder has content, the file exists, or an image cannot be shown.
    """
    if format == "csv":
        if to.exists():  # with answers perhaps
            raise UserError(f"{to} is there already: name a new file in to=")
        write_table(to, ("id", "label", "by"), [(row.id, None, None) for row in rows], bom=True)
        return
    if to.exists() and not (to.is_dir() and all(left_behind(at.name) for at in to.iterdir())):
        raise UserError(f"{to} is there already and not empty: name a new folder in to=")
    with _whole(to) as half:
        pictures = half / {"fiftyone": "data", "folders": ""}.get(format, "images")
        pictures.mkdir(exist_ok=True)
        files = {row.id: _copied(row.id, pictures, hashes, copy) for row in rows}
        if format == "folders":
            for name in (*classes, label_studio.UNSURE):
                (half / folder_name(name)).mkdir()
        elif format == "cvat":
            sizes = {f"images/{file.name}": size_of(file) for file in files.values()}
            settings = cvat.label_settings([*classes, label_studio.UNSURE])
            _write(half / "annotations.xml", cvat.content(sizes, {}))
            _write(half / "label_settings.json", _json(settings))
        elif format == "fiftyone":
            names = [*classes, label_studio.UNSURE]
            targets = {file.stem: None for file in files.values()}
            _write(half / "labels.json", _json(fiftyone.content(targets, names)))
        elif format == "label_studio":
            config = label_studio.configuration(classes)
            control = label_studio.control(config)
            tasks = [
                label_studio.task(
                    row,
                    round=round,
                    sha256=hashes[row.id],
                    address=f"/data/local-files/?d={to.name}/images/{files[row.id].name}",
                    control=control,
                )
                for row in rows
            ]
            _write(half / "tasks.json", _json(tasks))
            _write(half / "config.xml", config)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder to fill; it takes its name once it is full, as half a batch would look whole.

    Raises:
        UserError: The disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as inside:
            half = Path(inside) / "half"
            half.mkdir()
            yield half
            if folder.exists():  # empty but for what file systems leave behind
                shutil.rmtree(folder)
            half.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error


def _copied(id: SampleId, folder: Path, hashes: Mapping[SampleId, str], copy: Copy) -> Path:
    file = copy(id, folder, neutral_name(hashes[id])) if id in hashes else None
    if file is None:
        raise UserError(f"{id} has no image that could be shown: use format=csv")
    return file


def _file(id: SampleId, path_of: Callable[[SampleId], ImagePath | None]) -> ImagePath:
    file = path_of(id)
    if file is None or not file.is_file():
        raise UserError(f"{id} has no file: export a table (form=votes)")
    return file


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    def write(beside: Path) -> None:
        beside.write_bytes(text.encode())

    try:
        write_atomically(path, write)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
