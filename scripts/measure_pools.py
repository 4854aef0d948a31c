"""Measure pools: what a scan costs beside the pass over the pool, and what a long manifest takes.

    python scripts/measure_pools.py scan out=runs/xsdd/uncertainty_herding/seed-0 pool=pool.parquet
    python scripts/measure_pools.py manifest 1000000

`scan`: processor seconds of the pass alone, and of a scan of the same images, in turns.
`manifest`: seconds and memory to open a manifest of so many rows as a data set.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PAIRS = 12
IMAGES = 200


def main() -> None:
    what, *words = sys.argv[1:]
    if what == "manifest":
        manifest(int(words[0]))
    else:
        given = dict(word.split("=", 1) for word in words)
        scan(Path(given["out"]), Path(given["pool"]))


def scan(out: Path, pool: Path) -> None:
    import pyarrow.parquet

    from alvision.inference.scan import scan as scan_shard
    from alvision.training import trained
    from alvision.training.pool_scan import images_of

    last = max(int(path.parent.name) for path in out.glob("rounds/*/model.ckpt"))
    model = trained.load(out, last)
    with pyarrow.parquet.ParquetFile(pool) as table:
        images = images_of(table, 0, IMAGES)

    def plain() -> None:
        for _ in model.scan(images, {}):
            pass

    def whole() -> None:
        found = scan_shard(images, model.scan, model.classes)
        pyarrow.parquet.write_table(found, io.BytesIO())

    plain()
    whole()
    ratios = []
    for pair in range(PAIRS):
        seconds = {}
        for run in (plain, whole) if pair % 2 else (whole, plain):
            start = time.process_time()
            run()
            seconds[run] = time.process_time() - start
        ratios.append(seconds[whole] / seconds[plain])
    low, high = np.percentile(ratios, [2.5, 97.5])
    median = float(np.median(ratios))
    print(
        f"scan / pass, {len(images)} images, {PAIRS} pairs: {median:.3f} ({low:.3f} to {high:.3f})"
    )


def manifest(rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from alvision.config.schema import DataConfig
    from alvision.data.manifest import build
    from alvision.data.pool_table import ROW_GROUP

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pool.parquet"
        ids = [f"line{row % 12:02d}/{row:09d}.jpg" for row in range(rows)]
        uris = [f"s3://plant/{id}" for id in ids]
        etags = [f'"{row:032x}"' for row in range(rows)]
        table = pa.table({"id": ids, "uri": uris, "size": [500_000] * rows, "etag": etags})
        pq.write_table(table, file, row_group_size=ROW_GROUP)
        del ids, uris, etags, table
        start = time.process_time()
        found = build(DataConfig(kind="manifest", file=str(file)))
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{len(found):,} rows: {seconds:.1f} s, {peak:.2f} GB at most, file included")


if __name__ == "__main__":
    main()
