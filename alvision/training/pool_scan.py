"""Scan a pool with the model of a run in this process, shard by shard."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.data.hashes import file_hash
from alvision.data.pool_table import path_of
from alvision.data.storage.stored_path import ImagePath
from alvision.inference import shards
from alvision.inference.scan import scan
from alvision.training import trained

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet


def scan_pool(
    pool: Path,
    out: Path,
    to: ImagePath,
    *,
    round: int | None = None,
    project: int = 0,
    rows: int = 4096,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Counter[str], int]:
    """Scan the shards of a manifest that have no result yet.

    Returns what became of the rows that were read now, and the number of rows in all.

    Args:
        pool: The manifest.
        out: The run whose model scans.
        to: Where the results go.
        round: The round of the model; None: the last that has one.
        project: Dimensions that features are projected to; 0: none.
        rows: Photographs a shard.
        progress: Called with (rows done, rows in all).

    Raises:
        UserError: There is no such pool or model, or the storage refuses.
    """
    import pyarrow
    import pyarrow.parquet

    if not pool.is_file():
        raise UserError(f"pool={pool} is no file: make it with alvision manifest")
    models = sorted(out.glob("rounds/*/model.ckpt"))
    if not models:
        raise UserError(f"out={out} has no model yet: give the folder of a run")
    number = int(models[-1].parent.name) if round is None else round
    model = trained.load(out, number)
    checkpoint = out / "rounds" / f"{number:03d}" / "model.ckpt"
    try:
        table = pyarrow.parquet.ParquetFile(pool)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"pool={pool} cannot be read as Parquet: {reason}") from None
    with table:
        total = table.metadata.num_rows
        key = [file_hash(pool), file_hash(checkpoint), model.key, project]
        wanted = shards.shards(total, rows, key)
        there = shards.results(to)
        missing = [shard for shard in wanted if shard.name not in there]
        counts: Counter[str] = Counter()
        done = total - sum(shard.stop - shard.start for shard in missing)
        for shard in missing:
            stopping.safe_point()
            progress(done, total)
            found = scan(
                images_of(table, shard.start, shard.stop),
                model.scan,
                model.classes,
                project=project,
            )
            counts.update(found["status"].to_pylist())
            shards.write(to, f"{shard.name}.{uuid.uuid4().hex[:8]}.parquet", _content(found))
            done += shard.stop - shard.start
        progress(total, total)
    shards.record(to, wanted)
    return counts, total


def images_of(
    table: pyarrow.parquet.ParquetFile, start: int, stop: int
) -> list[tuple[str, ImagePath]]:
    """Return the ids and places of a range of a manifest's rows, from its row groups alone."""
    first, groups = 0, list[int]()
    offset = 0
    for group in range(table.metadata.num_row_groups):
        count = table.metadata.row_group(group).num_rows
        if first < stop and first + count > start:
            offset = first if not groups else offset
            groups.append(group)
        first += count
    columns = [name for name in ("id", "uri", "size", "etag") if name in table.schema_arrow.names]
    found = table.read_row_groups(groups, columns=columns).slice(start - offset, stop - start)
    return [
        (row["id"], path_of(row["uri"], row.get("size"), row.get("etag")))
        for row in found.to_pylist()
    ]


def _content(table: pyarrow.Table) -> bytes:
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()
