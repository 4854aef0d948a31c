"""`manifest`: list a pool once, so that nobody has to list it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import Options, option
from alvision.core.errors import UserError
from alvision.core.uris import Place

USAGE = """\
alvision manifest root=s3://bucket/line3 to=pool.parquet
alvision check data=manifest data.file=pool.parquet

Lists every image below an address (s3, gs, az) or a folder into a Parquet table:
id, uri, size, etag, group and label. The ids are the paths below the root. Folders are
listed in parallel; a bucket's listing that was stopped goes on by the same command.
Credentials come from the environment alone (docs/pools.md)."""


@dataclass(frozen=True, kw_only=True)
class ManifestOptions(Options):
    """The words of `manifest`."""

    command = "manifest"
    example = "alvision manifest root=s3://bucket/line3 to=pool.parquet"

    root: Place = option("The address or the folder.")
    to: Path = option("The table, .parquet.", default=Path("pool.parquet"))


OPTIONS = (ManifestOptions,)


def manifest(words: list[str]) -> int:
    """List a pool into a table."""
    options = ManifestOptions.parse(words)
    if options.to.suffix != ".parquet":
        raise UserError(f"to={options.to} must end in .parquet")

    from alvision.data.pool_table import make

    with bar("listing") as progress:
        rows = make(options.root, options.to, lambda done: progress(done, done))
    console.print(f"{rows:,} images listed in {options.to}", markup=False)
    return 0
