"""`scan`: run a run's model over a pool of any size, shard by shard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.config.limits import at_least, choice
from alvision.core.uris import Place

USAGE = """\
alvision scan pool=pool.parquet out=runs/line3/uncertainty_herding/seed-0 to=scan/
alvision scan pool=pool.parquet out=runs/line3/uncertainty_herding/seed-0 to=s3://bucket/scan

Reads every photograph of a manifest once (alvision manifest) and writes its features
and the probability of each class, one Parquet file a shard. A photograph that cannot
be read is a row with the reason. The same command goes on where it was stopped.
Status 1 if one that was read now could not be used."""


@dataclass(frozen=True, kw_only=True)
class ScanOptions(Options):
    """The words of `scan`."""

    command = "scan"
    example = "alvision scan pool=pool.parquet out=runs/line3/badge/seed-0 to=scan/"

    pool: Path = option("The manifest of the pool.")
    out: Path = option("The run whose model scans.")
    to: Place = option("The folder or the address of the results.")
    round: int | None = option(
        "The round of the model.", default=None, shown="the last with a model", limits=at_least(0)
    )
    project: int = option(
        "Project features to so many dimensions by fixed random directions; 0: all of them.",
        default=0,
        limits=at_least(0),
    )
    rows: int = option("Photographs a shard.", default=4096, limits=at_least(1))
    engine: str = option("What runs the shards.", default="local", limits=choice("local"))


OPTIONS = (ScanOptions,)


def scan(words: list[str]) -> int:
    """Scan a pool; return 1 if a row could not be used."""
    options = ScanOptions.parse(words)

    from alvision.data.storage.stored_path import place
    from alvision.inference.scan import OK
    from alvision.training.pool_scan import scan_pool

    to = place(options.to)
    with bar("scanning") as progress:
        counts, total = scan_pool(
            options.pool, options.out, to, round=options.round, project=options.project,
            rows=options.rows, progress=progress,
        )  # fmt: skip
    said = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    before = total - counts.total()
    console.print(
        f"{total:,} images in {options.to}: {said or 'none'} now"
        + (f", {before:,} before" if before else ""),
        markup=False,
    )
    return int(counts.total() > counts[OK])
