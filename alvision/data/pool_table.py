"""A pool's manifest: a Parquet table of any length with one row an object, made by listing once."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically
from alvision.core.walk import files_below, left_behind, printable
from alvision.data.image_spec import HEIC_SUFFIXES, SUFFIXES
from alvision.data.sources.rows import absolute, normal
from alvision.data.storage.listing import Rest, listed
from alvision.data.storage.stored_path import ImagePath, StoredPath, place

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ("id", "uri", "size", "etag", "group", "label")
ROW_GROUP = 65_536
"""Rows that are read at once: some 10 MB."""
ROWS_A_PART = 100_000
"""Rows of a listing that a kill may lose: 100 pages, some ten seconds of a store's answers."""
ROOT = b"alvision.root"
"""The key of the file's own notes that holds what the ids are relative to."""
STATE = "state.json"

_log = logging.getLogger(__name__)
Found = tuple[str, str, int, str]


def make(root: str, to: Path, progress: Callable[[int], None] = lambda rows: None) -> int:
    """List the photographs below an address or a folder into a table; return its rows.

    The id is the path below the root. Where every photograph is in a first-level folder, these are
    the labels. A listing of an address that was stopped goes on from its parts beside the table.

    Args:
        root: An address, or a folder.
        to: The table; it appears when it is whole.
        progress: Called with the rows so far.

    Raises:
        UserError: There is no image, or the storage refuses.
    """
    where = place(root)
    if isinstance(where, Path) and not where.is_dir():
        raise UserError(f"root={root} is not a folder: check the path")
    where = where if isinstance(where, StoredPath) else absolute(where)
    beside = to.with_name(f".{to.name}.listing")
    if isinstance(where, Path):  # a folder is listed from its beginning: its parts would come twice
        shutil.rmtree(beside, ignore_errors=True)
    parts = _Parts(beside, str(where))
    pages = _local(where) if isinstance(where, Path) else _stored(where, parts.pending)
    rows: list[Found] = []
    done = parts.rows
    for found, pending in pages:
        rows += found
        done += len(found)
        progress(done)
        if len(rows) >= ROWS_A_PART:
            parts.add(rows, pending)
            rows = []
    parts.add(rows, [])
    table = parts.joined()
    if not len(table):
        shutil.rmtree(beside)  # the next call looks again
        raise UserError(f"root={root} holds no image ({', '.join(sorted(SUFFIXES))})")
    write_atomically(to, lambda beside: _write(table, beside, str(where)))
    shutil.rmtree(parts.folder, ignore_errors=True)
    return len(table)


def batches(file: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, list[Any]]]:
    """Yield the columns of a manifest, some thousands of rows at a time.

    Raises:
        UserError: It is no Parquet file, or lacks `id` or `uri`.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            missing = {"id", "uri"} - set(names)
            if missing:
                raise UserError(
                    f"{file} has no column {sorted(missing)[0]!r}, so it is no manifest: make one "
                    "with alvision manifest root=... to=pool.parquet"
                )
            wanted = names if columns is None else [name for name in columns if name in names]
            for batch in parquet.iter_batches(ROW_GROUP, columns=wanted):
                yield batch.to_pydict()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} cannot be read as Parquet: {reason}") from None


def root_of(file: Path) -> str | None:
    """Return what a manifest's ids are relative to; None where the file does not say."""
    import pyarrow.parquet

    notes = pyarrow.parquet.read_schema(file).metadata or {}
    return notes[ROOT].decode() if ROOT in notes else None


def path_of(uri: str, size: int | None, etag: str | None) -> ImagePath:
    """Return the place of a row."""
    where = place(uri)
    if isinstance(where, Path) or not etag or size is None:
        return where
    return StoredPath(where.uri, int(size), etag)


def _is_image(name: str) -> bool:
    return "." in name and f".{name.rsplit('.', 1)[-1]}".lower() in SUFFIXES | HEIC_SUFFIXES


def _local(root: Path) -> Iterator[tuple[list[Found], list[Rest]]]:
    for path in files_below(root):
        id = path.relative_to(root).as_posix()
        if _is_image(path.name) and printable(id) == id:
            state = path.stat()
            etag = f"{state.st_size:x}-{state.st_mtime_ns:x}"
            yield [(normal(id), str(path), state.st_size, etag)], []


def _stored(root: StoredPath, pending: list[Rest]) -> Iterator[tuple[list[Found], list[Rest]]]:
    base = "/".join(root.uri.split("/", 3)[:3])
    cut = len(root.uri) + 1
    for objects, rest in listed(pending):
        found = []
        for one in objects:
            uri = f"{base}/{one.key}"
            id = uri[cut:]
            if _is_image(id) and not any(left_behind(part) for part in id.split("/")):
                found.append((normal(id), uri, one.size, one.etag))
        yield found, rest


class _State(NamedTuple):
    root: str
    parts: int
    rows: int
    pending: list[list[str | None]]


class _Parts:
    """What a listing has found so far: Parquet files, and a note of what remains."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder, self._root = folder, root
        self._state = _State(root, 0, 0, [[root, None]])
        try:
            state = _State(**json.loads((folder / STATE).read_text(encoding="utf-8")))
            if state.root == root:
                self._state = state
                _log.warning("the listing goes on after %s rows", f"{state.rows:,}")
        except (OSError, ValueError, TypeError):
            pass

    @property
    def pending(self) -> list[Rest]:
        """Return what is still to be listed."""
        return [Rest(str(uri), after) for uri, after in self._state.pending]

    @property
    def rows(self) -> int:
        """Return the rows that are safe."""
        return self._state.rows

    def add(self, rows: list[Found], pending: Sequence[Rest]) -> None:
        """Keep rows, and then what remains after them."""
        import pyarrow
        import pyarrow.parquet

        named = [dict(zip(COLUMNS, row, strict=False)) for row in rows]
        table = pyarrow.Table.from_pylist(named, _schema())
        number = self._state.parts
        write_atomically(
            self.folder / f"{number:06d}.parquet",
            lambda beside: pyarrow.parquet.write_table(table, beside),
        )
        rest = [list(one) for one in pending]
        self._state = _State(self._root, number + 1, self.rows + len(rows), rest)
        text = json.dumps(self._state._asdict())
        write_atomically(self.folder / STATE, lambda beside: _write_text(beside, text))

    def joined(self) -> pyarrow.Table:
        """Return all rows in the order of their ids, with their labels."""
        import pyarrow
        import pyarrow.compute as pc
        import pyarrow.parquet

        files = [self.folder / f"{number:06d}.parquet" for number in range(self._state.parts)]
        table = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in files])
        table = table.sort_by("id")
        first = pc.replace_substring_regex(table["id"], "/.*", "")
        deep = pc.all(pc.equal(pc.count_substring(table["id"], "/"), 1)).as_py()
        none = pyarrow.nulls(len(table), pyarrow.string())
        label = first if deep and len(pc.unique(first)) > 1 else none
        return table.append_column("group", none).append_column("label", label)


def _schema() -> pyarrow.Schema:
    import pyarrow

    text = pyarrow.string()
    types = (text, text, pyarrow.int64(), text)
    return pyarrow.schema(list(zip(COLUMNS, types, strict=False)))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _write(table: pyarrow.Table, path: Path, root: str) -> None:
    import pyarrow.parquet

    noted = table.replace_schema_metadata({ROOT: root.encode()})
    pyarrow.parquet.write_table(noted, path, row_group_size=ROW_GROUP)
