"""YOLO: a text file an image, a line a box; the names of the numbers are in a file of their own."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

import yaml

from alvision.core.errors import UserError
from alvision.core.walk import files_below
from alvision.labels.exchange.foreign import ForeignImage

NAMES_FILES = ("data.yaml", "data.yml", "obj.names", "classes.txt", "labels/classes.txt")
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
_NO_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt"})
_TOLERANCE = 1e-3
"""Tools write boxes at the edge of an image that stick out by a rounding error."""


def read(folder: Path) -> list[ForeignImage]:
    """Return the images of a folder with the names of their boxes.

    An image of the folder without a text file has no boxes; so has one whose file is empty.

    Raises:
        UserError: Names the line that is not a box, or whose number has no name.
    """
    names = _names(folder)
    files = sorted(files_below(folder))
    texts = [
        file
        for file in files
        if file.suffix == ".txt"
        and file.name not in _NO_LABELS
        and "readme" not in file.name.lower()
    ]
    under_labels = [file for file in texts if "labels" in file.relative_to(folder).parts]
    pictures = {_key(folder, file): file for file in files if file.suffix.lower() in _IMAGES}
    found = {}
    for file in under_labels or texts:
        key = _key(folder, file)
        name = _relative(folder, pictures[key]) if key in pictures else key
        found[key] = ForeignImage(name, _classes(file, names), str(file))
    for key, picture in pictures.items():
        found.setdefault(key, ForeignImage(_relative(folder, picture), (), str(picture)))
    return [*found.values()]


def names_file(folder: Path) -> Path | None:
    """Return the file with the names of the numbers; None where there is none."""
    return next((folder / name for name in NAMES_FILES if (folder / name).is_file()), None)


def _names(folder: Path) -> list[str]:
    file = names_file(folder)
    if file is None:
        raise UserError(
            f"{folder} does not name its numbers: YOLO needs {' or '.join(NAMES_FILES[:4])} there"
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}): export it again") from error
    if file.suffix in (".yaml", ".yml"):
        return _yaml_names(file, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _yaml_names(file: Path, text: str) -> list[str]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UserError(f"{file}, line {line}: not YAML: export it again") from error
    names = found.get("names") if isinstance(found, dict) else None
    if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
        by_number = {int(number): name for number, name in names.items()}
        names = [by_number[number] for number in range(len(names))]
    # YAML reads a class called `no` as false: it must be in quotes there.
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
        raise UserError(
            f"{file}: names must list the classes as text, numbered from 0; nothing was imported"
        )
    count = found.get("nc", len(names))
    if count != len(names):
        raise UserError(f"{file}: nc is {count}, but names has {len(names)}; nothing was imported")
    return names


def _classes(file: Path, names: list[str]) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}): export it again") from error
    return tuple(
        names[_number(cells, f"{file}, line {number}", names)]
        for number, cells in enumerate(map(str.split, lines), start=1)
        if cells
    )


def _number(cells: list[str], where: str, names: list[str]) -> int:
    """Return the number of a box's class, once its line is a box or an outline."""
    if len(cells) == 6:
        raise UserError(
            f"{where}: six numbers are a model's prediction with its confidence, not a label;"
            " nothing was imported"
        )
    if len(cells) != 5 and (len(cells) < 7 or len(cells) % 2 == 0):
        raise UserError(
            f"{where}: {len(cells)} numbers are no box (5) and no outline (1 and pairs);"
            " nothing was imported"
        )
    if not cells[0].isdecimal() or not int(cells[0]) < len(names):
        raise UserError(
            f"{where}: {cells[0]!r} is not the number of a class, 0 to {len(names) - 1};"
            " nothing was imported"
        )
    for cell in cells[1:]:
        if not -_TOLERANCE <= _float(cell) <= 1 + _TOLERANCE:
            raise UserError(
                f"{where}: {cell!r} is not between 0 and 1, a share of the image; nothing was"
                " imported"
            )
    return int(cells[0])


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _relative(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()


def _key(folder: Path, file: Path) -> str:
    """Return what an image and its text file have in common: `images/` is `labels/` there."""
    path = PurePosixPath(_relative(folder, file)).with_suffix("")
    return "/".join("images" if part == "labels" else part for part in path.parts)
