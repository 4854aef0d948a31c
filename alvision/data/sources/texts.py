"""Texts in a CSV or Parquet table: tickets, contracts, reports; each row is one text to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.data.sources.rows import Listing, Row, absolute, existing_file, existing_folder
from alvision.data.sources.shown import shown
from alvision.data.sources.table import attributes, read_csv, read_parquet, text

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig


def text_table(cfg: DataConfig) -> Listing:
    """List the texts of a table; their features are made once it is known which may be learned.

    Raises:
        UserError: The table is not as configured, or a row has no id or no text.
    """
    file = existing_file(cfg)
    root = existing_folder(cfg) if cfg.root else file.parent
    if cfg.text_column is None:
        raise UserError("data=text needs data.text_column=NAME: the column with the text")
    parquet = file.suffix.lower() in (".parquet", ".pq")
    columns = read_parquet(cfg, file).to_pydict() if parquet else read_csv(file)
    known = attributes(cfg, file, columns)
    if not known:
        raise UserError(f"{file} lists no text: it has a header and no rows")
    seen, paths = shown(cfg, file, root, columns)
    ids = [text(value) for value in columns[cfg.path_column]]
    for what, blank in (("id", ids.count(None)), ("text", sum(not one.text for one in seen))):
        if blank:
            column = cfg.path_column if what == "id" else cfg.text_column
            raise UserError(
                f"{file}, column {column!r}: {blank} of {len(ids)} rows have no {what}; "
                "fill them in, or take these rows out"
            )
    rows = [
        Row(str(id), path or absolute(file), truth, group, split, shown=one)
        for id, (truth, group, split), one, path in zip(ids, known, seen, paths, strict=True)
    ]
    return Listing(root, rows)
