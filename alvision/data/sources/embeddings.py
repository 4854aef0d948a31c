"""Feature vectors in a Parquet file: a pool of anything that somebody has embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.sources.rows import Listing, Row, absolute, existing_file, existing_folder
from alvision.data.sources.shown import is_shown, shown
from alvision.data.sources.table import attributes, read_parquet, text

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow

    from alvision.config.schema import DataConfig


def embeddings(cfg: DataConfig) -> Listing:
    """List the rows of a Parquet file that has an id column and a column of float lists.

    No image files are needed; a path is where the image of that id would be below the root. With
    `data.text_column` or `data.image_column` people are shown what the row is about.

    Raises:
        UserError: If a column is missing, an id is blank, or the features differ in width or are
            not finite.
    """
    file = existing_file(cfg)
    root = existing_folder(cfg) if cfg.root else file.parent
    table = read_parquet(cfg, file, cfg.features_column)
    if not len(table):
        raise UserError(f"{file} has no rows")
    vectors = table[cfg.features_column]
    columns = table.drop_columns([cfg.features_column]).to_pydict()
    known = attributes(cfg, file, columns)
    ids = [text(value) for value in columns[cfg.path_column]]
    blank = ids.count(None)
    if blank:
        raise UserError(f"{file}, column {cfg.path_column!r}: {blank} rows have no id")
    matrix = _matrix(vectors, f"{file}, column {cfg.features_column!r}")
    rows = [
        Row(str(id), _path(root, str(id)), truth, group, split, vector)
        for id, (truth, group, split), vector in zip(ids, known, matrix, strict=True)
    ]
    if is_shown(cfg):
        seen, paths = shown(cfg, file, root, columns)
        rows = [
            row._replace(shown=one, path=path or row.path)
            for row, one, path in zip(rows, seen, paths, strict=True)
        ]
    return Listing(root, rows)


def _path(root: Path, id: str) -> Path:
    """Return where the image of an id would be; the root itself, if that is not below it."""
    path = absolute(root / id)
    return path if path.is_relative_to(root) else root


def _matrix(column: pyarrow.ChunkedArray, where: str) -> np.ndarray:
    """Return a column of lists as float32 [N, D]."""
    import numpy as np
    import pyarrow.compute
    import pyarrow.types

    kind = column.type
    lists = (
        pyarrow.types.is_list(kind)
        or pyarrow.types.is_large_list(kind)
        or pyarrow.types.is_fixed_size_list(kind)
    )
    if not lists or not (
        pyarrow.types.is_floating(kind.value_type) or pyarrow.types.is_integer(kind.value_type)
    ):
        raise UserError(f"{where} holds {kind}: it must hold lists of floats")
    if column.null_count:
        raise UserError(f"{where}: {column.null_count} of {len(column)} rows have no features")
    widths = pyarrow.compute.unique(pyarrow.compute.list_value_length(column)).to_pylist()
    if len(widths) > 1 or not widths[0]:
        raise UserError(
            f"{where}: rows of {min(widths)} to {max(widths)} numbers; all rows must be of one "
            "width, at least 1"
        )
    # By chunk: one list array of the whole column may pass the limit of its 32-bit offsets.
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    with np.errstate(over="ignore"):
        features = np.concatenate(parts).astype(np.float32).reshape(-1, widths[0])
    bad = int((~np.isfinite(features)).any(axis=1).sum())
    if bad:
        raise UserError(f"{where}: {bad} of {len(features)} rows have numbers that are not finite")
    return features
