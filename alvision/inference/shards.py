"""The results of a scan: one file a shard of the manifest, written whole, and which of them count.

Object stores have no rename, and not all write under a condition. So whoever scans a shard puts its
result under a name of the attempt's own, and readers take the smallest name of each shard. That
choice is recorded, because a late attempt may bring a smaller name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.data.storage import client
from alvision.data.storage.listing import Rest, listed
from alvision.data.storage.stored_path import ImagePath, StoredPath, place

if TYPE_CHECKING:
    import pyarrow

RECORD = "scan.json"
"""The file that names the one result of each shard; it is there once all are."""


@dataclass(frozen=True)
class Shard:
    """A fixed range of a manifest's rows.

    Attributes:
        start: Its first row.
        stop: The row after its last.
        digest: Stands for the manifest, the range, the model, and how it is run.
    """

    start: int
    stop: int
    digest: str

    @property
    def name(self) -> str:
        """Return the first part of its results' names, in the order of the rows."""
        return f"shard-{self.start:012d}-{self.digest}"


def shards(total: int, rows: int, key: Sequence[object]) -> list[Shard]:
    """Cut a manifest into shards.

    >>> [(one.start, one.stop) for one in shards(5, 2, ["manifest", "model"])]
    [(0, 2), (2, 4), (4, 5)]
    """
    found = []
    for start in range(0, total, rows):
        stop = min(start + rows, total)
        text = json.dumps([*key, start, stop], sort_keys=True, default=list)
        found.append(Shard(start, stop, hashlib.sha256(text.encode()).hexdigest()[:16]))
    return found


def results(to: ImagePath) -> dict[str, str]:
    """Return the smallest name of each shard that has a result, by the shard's name."""
    found: dict[str, str] = {}
    for name in sorted(_names(to), reverse=True):
        shard, dot, _ = name.partition(".")
        if dot and name.endswith(".parquet") and shard.startswith("shard-"):
            found[shard] = name
    return found


def write(to: ImagePath, name: str, content: bytes) -> None:
    """Write a file of a scan whole, in one step.

    Raises:
        UserError: The storage refuses.
        OSError: The disk does.
    """
    if isinstance(to, StoredPath):
        client.write((to / name).uri, content)
    else:
        write_atomically(to / name, lambda beside: _write_bytes(beside, content))


def record(to: ImagePath, wanted: Sequence[Shard]) -> None:
    """Record which result of each shard counts.

    Raises:
        UserError: A shard has none.
    """
    there = results(to)
    missing = [shard for shard in wanted if shard.name not in there]
    if missing:
        raise UserError(
            f"{len(missing)} shards of {to} are not scanned yet: give the command again"
        )
    names = [there[shard.name] for shard in wanted]
    write(to, RECORD, json.dumps({"shards": names}, indent=0).encode())


def scanned(to: ImagePath | str, columns: list[str] | None = None) -> Iterator[pyarrow.Table]:
    """Yield the result of each shard, in the order of the manifest; by default all its columns.

    Args:
        to: The folder or the address of the scan.
        columns: The columns that are read; None: all.

    Raises:
        UserError: The scan is not finished.
    """
    import pyarrow
    import pyarrow.parquet

    to = place(to) if isinstance(to, str) else to
    try:
        names = json.loads((to / RECORD).read_bytes())["shards"]
    except FileNotFoundError:
        raise UserError(
            f"{to} holds no finished scan: give the command of the scan again"
        ) from None
    for name in names:
        content = pyarrow.BufferReader((to / name).read_bytes())
        yield pyarrow.parquet.read_table(content, columns=columns)


def _names(to: ImagePath) -> list[str]:
    if isinstance(to, Path):
        return [path.name for path in to.glob("shard-*.parquet")]
    return [one.key.rsplit("/", 1)[-1] for found, _ in listed([Rest(to.uri)]) for one in found]


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
