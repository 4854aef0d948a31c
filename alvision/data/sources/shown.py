"""What people are shown of a table's row: its text, its further columns, an image beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.data.sources.rows import Shown
from alvision.data.sources.table import OPTIONAL_COLUMNS, Columns, locate, require, text

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig

SETTINGS = ("text_column", "image_column")
"""The settings by which a table's rows can be shown."""


def is_shown(cfg: DataConfig) -> bool:
    """Tell whether the configuration says what people are to be shown of a row."""
    return any(getattr(cfg, setting) for setting in SETTINGS)


def shown(
    cfg: DataConfig, file: Path, root: Path, columns: Columns
) -> tuple[list[Shown], list[Path | None]]:
    """Return what people are shown of each row, and where its image is.

    The further columns are all but the id, the text, the image, the embedding, and those that say
    the class, the group and the split: an answer must not be read off the page.

    Args:
        cfg: The settings of the data set.
        file: The table, for messages.
        root: Folder that images are below.
        columns: The table's columns.

    Raises:
        UserError: A column is missing, or an image is not there.
    """
    names = {setting: getattr(cfg, setting) for setting in SETTINGS}
    for setting, name in names.items():
        require(file, list(columns), setting, name)
    own = {cfg.path_column, cfg.features_column, *names.values()}
    own |= {getattr(cfg, setting) for setting in OPTIONAL_COLUMNS}
    further = [name for name in columns if name not in own and _readable(columns[name])]
    count = len(columns[cfg.path_column])
    texts = columns[cfg.text_column] if cfg.text_column else [None] * count
    paths: list[Path | None] = [None] * count
    if cfg.image_column:
        paths = _images(cfg, file, root, columns)
    rows = [
        Shown(
            None if texts[row] is None else str(texts[row]).strip() or None,
            tuple((name, said) for name in further if (said := text(columns[name][row]))),
            paths[row] is not None,
        )
        for row in range(count)
    ]
    return rows, paths


def _readable(cells: Sequence[Any]) -> bool:
    """Tell whether a column holds words and numbers, and no lists or bytes."""
    return not any(isinstance(cell, list | dict | bytes) for cell in cells[:100])


def _images(cfg: DataConfig, file: Path, root: Path, columns: Columns) -> list[Path | None]:
    found = [locate(value, root, file)[1] for value in columns[str(cfg.image_column)]]
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(found)} images in column {cfg.image_column!r} of {file} are "
            f"missing, first {missing[0]}: check data.root, which the paths are relative to"
        )
    return list(found)
