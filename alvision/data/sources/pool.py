"""Images that a pool's manifest lists, wherever they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.pool_table import batches, path_of, root_of
from alvision.data.sources.rows import Listing, Row, existing_file, existing_root, normal
from alvision.data.sources.table import attributes, present_columns
from alvision.data.storage.stored_path import ImagePath, place

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig


def manifest(cfg: DataConfig) -> Listing:
    """List the images of a manifest; with `data.root` they are below that by now, under their ids.

    Raises:
        UserError: The table is no manifest, or lists no image.
    """
    file = existing_file(cfg)
    own = replace(cfg, path_column="id")
    moved = existing_root(cfg) if cfg.root else None
    rows: list[Row] = []
    for columns in batches(file):
        present_columns(own, file, list(columns))
        count = len(columns["id"])
        sizes, etags = (columns.get(name) or [None] * count for name in ("size", "etag"))
        cells = zip(columns["id"], columns["uri"], sizes, etags, strict=True)
        for (id, uri, size, etag), (truth, group, split) in zip(
            cells, attributes(own, file, columns), strict=True
        ):
            if not id or not uri:
                raise UserError(f"{file}: row {len(rows) + 1} has no id or no uri")
            where = path_of(uri, size, etag) if moved is None else _below(moved, id, file)
            rows.append(Row(normal(id), where, truth, group, split))
    if not rows:
        raise UserError(f"{file} lists no image: it has no rows")
    root = moved or place(root_of(file) or str(file.parent))
    return Listing(root, rows)


def _below(root: ImagePath, id: str, file: Path) -> ImagePath:
    if id.startswith("/") or ".." in id.split("/"):
        raise UserError(f"{file} lists {id!r}, which is not below data.root={root}")
    return root / id
