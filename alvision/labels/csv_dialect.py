"""CSV tables as spreadsheets save them: read with their quirks, written whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alvision.core.errors import UserError
from alvision.core.rounds import write_atomically


@dataclass(frozen=True)
class Row:
    """Hold a row: its number as a spreadsheet counts (the header is 1), and its cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """Hold a table with lower-case column names; empty rows are left out."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def require(self, *columns: str) -> None:
        """Refuse the table if a column is missing.

        Raises:
            UserError: Names the missing columns and those that are there.
        """
        missing = [column for column in columns if column not in self.columns]
        if missing:
            raise UserError(
                f"{self.path} has no column {', '.join(missing)} in its first row"
                f" (found: {', '.join(self.columns) or 'nothing'}): add it"
            )


def read_table(path: Path) -> Table:
    """Read a CSV table as spreadsheets save it.

    Accepts UTF-8 with and without a byte-order mark, UTF-16 and Windows-1252, and comma, semicolon
    or tab between columns. Cells keep their spaces.

    Raises:
        UserError: The file is missing, in use, a workbook, or cut off inside a row.
    """
    text = _text(path)
    try:
        records = list(
            csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        )
    except csv.Error as error:
        raise UserError(f"{path} is not a whole CSV table ({error}): save it again") from error
    header = records[0] if records else []
    columns = tuple(name.strip().lower() for name in header)
    while columns and not columns[-1]:
        columns = columns[:-1]
    if len(set(columns)) < len(columns):
        raise UserError(f"{path} has two columns of one name in its first row: rename one")
    if len(records) > 1 and len(records[-1]) < len(columns) and not text.endswith(("\n", "\r")):
        raise UserError(f"{path} ends inside its last row, {len(records)}: save it again")
    rows = []
    for number, cells in enumerate(records[1:], start=2):
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise UserError(
                f"{path}, row {number}: more cells than columns: quote the cell with the comma"
            )
        if any(cell.strip() for cell in cells):
            filled = [*cells, *[""] * len(columns)]
            rows.append(Row(number, dict(zip(columns, filled, strict=False))))
    return Table(path, columns, tuple(rows))


def write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool = False
) -> None:
    """Write a CSV table in UTF-8, whole or not at all.

    Args:
        path: The file; its folder is made.
        columns: The header.
        rows: The other rows; None is an empty cell.
        bom: Start with a byte-order mark, without which Excel does not recognise UTF-8.

    Raises:
        UserError: The folder or the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # its \r\n line ends make it quote both characters inside cells
    writer.writerow(columns)
    writer.writerows(rows)

    def write(beside: Path) -> None:
        beside.write_bytes(text.getvalue().encode("utf-8-sig" if bom else "utf-8"))

    try:
        write_atomically(path, write)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: close it in other programs, run again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if data.startswith(b"PK\x03\x04"):
        raise UserError(f"{path} is a workbook: save it as CSV UTF-8")
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path} is not text in UTF-8: save it as CSV UTF-8")


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first line into most cells."""
    first = text.partition("\n")[0]
    return max(",;\t", key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
