"""Images listed in a CSV or Parquet table, with what its columns say about them."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.core.errors import UserError
from alvision.core.label_sets import refuse_sets
from alvision.data.sources.rows import (
    Listing,
    Row,
    absolute,
    existing_file,
    existing_root,
    normal,
)
from alvision.data.storage.stored_path import ImagePath, StoredPath

if TYPE_CHECKING:
    import pyarrow

    from alvision.config.schema import DataConfig

OPTIONAL_COLUMNS = {"label_column": "label", "group_column": "group", "split_column": "split"}
"""Settings that name an optional column, and their defaults: a default name may be absent."""

Columns = dict[str, list[Any]]


def csv_table(cfg: DataConfig) -> Listing:
    """List the images of a CSV file in UTF-8; the separator is `,`, `;` or a tab.

    Raises:
        UserError: If the table is not as configured, or its images are not there.
    """
    file = existing_file(cfg)
    return _listing(cfg, file, read_csv(file))


def parquet_table(cfg: DataConfig) -> Listing:
    """List the images of a Parquet file.

    Raises:
        UserError: If the table is not as configured, or its images are not there.
    """
    file = existing_file(cfg)
    return _listing(cfg, file, read_parquet(cfg, file).to_pydict())


def read_csv(file: Path) -> Columns:
    """Return the columns of a CSV file as text.

    Raises:
        UserError: If the file is not UTF-8 or not a table.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=max(",;\t", key=header.count), strict=True)
            lines = [(reader.line_num, fields) for fields in reader if fields]
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8: save it as CSV UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{file} is not a CSV table: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    if not lines:
        raise UserError(f"{file} is empty: its first line must name the columns")
    names = [name.strip() for name in lines[0][1]]
    if len(set(names)) < len(names):
        raise UserError(f"{file} has two columns of one name: {', '.join(names)}")
    for number, fields in lines[1:]:
        if len(fields) != len(names):
            raise UserError(
                f"{file}, line {number}: {len(fields)} fields where the header has {len(names)}"
            )
    return {name: [fields[i] for _, fields in lines[1:]] for i, name in enumerate(names)}


def read_parquet(cfg: DataConfig, file: Path, features_column: str | None = None) -> pyarrow.Table:
    """Return the columns of a Parquet file that the configuration names; all, if rows are shown.

    Raises:
        UserError: If the file is not Parquet or lacks a column.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            wanted = [cfg.path_column, *present_columns(cfg, file, names).values()]
            if features_column:
                require(file, names, "features_column", features_column)
                wanted.append(features_column)
            if cfg.text_column or cfg.image_column:  # people are shown the further columns too
                wanted += names
            return parquet.read(columns=list(dict.fromkeys(wanted)))
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} cannot be read as Parquet: {reason}") from None


def present_columns(cfg: DataConfig, file: Path, names: Sequence[str]) -> dict[str, str]:
    """Map the settings `label_column`, ... to the columns that the table has.

    Raises:
        UserError: If the path column, or an optional one that the user named, is missing.
    """
    require(file, names, "path_column", cfg.path_column)
    present = {}
    for setting, default in OPTIONAL_COLUMNS.items():
        name = getattr(cfg, setting)
        if name != default or (setting == "group_column" and cfg.group_by == "column"):
            require(file, names, setting, name)
        if name in names:
            present[setting] = name
    return present


def require(file: Path, names: Sequence[str], setting: str, name: str | None) -> None:
    """Refuse a table that lacks a column which a setting names; None names none."""
    if name is not None and name not in names:
        raise UserError(
            f"{file} has no column {name!r} (data.{setting}); its columns are: {', '.join(names)}"
        )


def attributes(cfg: DataConfig, file: Path, columns: Columns) -> list[tuple[str | None, ...]]:
    """Return (truth, group, split) of every row; None where the table says nothing.

    Raises:
        UserError: If a column is missing, a label names several classes, or a split is neither
            `train` nor `test`.
    """
    present = present_columns(cfg, file, list(columns))
    count = len(columns[cfg.path_column])
    if "label_column" in present:
        labels = present["label_column"]
        refuse_sets(columns[labels], f"{file}, column {labels!r}")
    truth, groups, splits = (
        [text(value) for value in columns[present[setting]]]
        if setting in present
        else [None] * count
        for setting in OPTIONAL_COLUMNS
    )
    splits = [split and split.lower() for split in splits]
    unknown = [split for split in splits if split not in (None, "train", "test")]
    if unknown:
        raise UserError(
            f"{file}, column {cfg.split_column!r} has {unknown[0]!r}: allowed are train, test "
            "and blank (data.split_column=null ignores the column)"
        )
    return list(zip(truth, groups, splits, strict=True))


def text(value: object) -> str | None:
    """Return a cell as text, None if it is blank; whole floats lose their `.0`.

    >>> text(3.0), text(" ok "), text(""), text(float("nan"))
    ('3', 'ok', None, None)
    """
    if isinstance(value, float):
        if value != value:
            return None
        value = int(value) if value.is_integer() else value
    return None if value is None else normal(str(value).strip()) or None


def _listing(cfg: DataConfig, file: Path, columns: Columns) -> Listing:
    root: ImagePath = existing_root(cfg) if cfg.root else file.parent
    known = attributes(cfg, file, columns)
    if not known:
        raise UserError(f"{file} lists no image: it has a header and no rows")
    if isinstance(root, StoredPath):
        return _stored(cfg, root, columns, known)
    rows, missing = [], []
    for value, (truth, group, split) in zip(columns[cfg.path_column], known, strict=True):
        id, path = locate(value, root, file)
        rows.append(Row(id, path, truth, group, split))
        if not path.is_file():
            missing.append(path)
    if missing:
        raise UserError(
            f"{len(missing)} of {len(rows)} images that {file} lists are missing, first "
            f"{missing[0]}: check data.root, which the paths are relative to"
        )
    return Listing(root, rows)


def _stored(
    cfg: DataConfig, root: StoredPath, columns: Columns, known: Sequence[tuple[str | None, ...]]
) -> Listing:
    """Return the rows of a table whose images are in storage; the store is not asked for them."""
    rows = []
    for value, (truth, group, split) in zip(columns[cfg.path_column], known, strict=True):
        id = normal(str(value or "").strip().replace("\\", "/")).strip("/")
        if not id or ".." in id.split("/"):
            raise UserError(f"{value!r} is no path below data.root={root} (data.path_column)")
        rows.append(Row(id, root / id, truth, group, split))
    return Listing(root, rows)


def locate(value: object, root: Path, file: Path) -> tuple[str, Path]:
    """Return the id and the path of an image that a table names.

    Raises:
        UserError: It does not lie below the root.
    """
    given = "" if value is None else str(value).strip().replace("\\", "/")
    path = absolute(root / given) if given else root
    if path == root or not path.is_relative_to(root):
        raise UserError(
            f"{file} lists {given!r}, which is not a file below {root}: "
            "paths are relative to data.root and stay below it"
        )
    relative = path.relative_to(root).as_posix()
    if not path.is_file():
        # The name may be stored in the other normal form than the table is written in.
        for form in ("NFC", "NFD"):
            other = root / unicodedata.normalize(form, relative)
            if other.is_file():
                path = other
    return normal(relative), path
