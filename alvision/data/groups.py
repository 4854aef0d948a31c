"""Which images belong together: by a column, the folder, a pattern or the time of capture."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from alvision.core.errors import UserError
from alvision.data.sources.rows import Row
from alvision.data.storage.stored_path import ImagePath, StoredPath

if TYPE_CHECKING:
    from alvision.config.schema import DataConfig
    from alvision.core.records import SampleId

EXIF_IFD = 0x8769
DATE_TIME_ORIGINAL = 0x9003


class Grouping(NamedTuple):
    """Name the group of each row, and say what a person should know about that; or None."""

    names: tuple[str | None, ...]
    notice: str | None = None


def grouped(rows: Sequence[Row], cfg: DataConfig) -> Grouping:
    """Name the group of each row as `data.group_by` asks; `none` keeps what the source says.

    Raises:
        UserError: If the images do not give the groups that are asked for.
    """
    given = tuple(row.group for row in rows)
    ids = [row.id for row in rows]
    match cfg.group_by:
        case "none":
            return Grouping(given)
        case "column":
            if not any(given):
                raise UserError(
                    f"data.group_by=column, but data={cfg.kind} has no groups: "
                    "name the column with data.group_column, or choose another data.group_by"
                )
            return Grouping(given)
        case "parent":
            return Grouping(tuple(str(PurePosixPath(id).parent) for id in ids))
        case "pattern":
            return Grouping(by_pattern(ids, cfg.group_pattern))
        case "capture_time":
            if cfg.kind == "embeddings":
                raise UserError(
                    "data.group_by=capture_time needs image files: embeddings have none"
                )
            return _by_time_of_files(rows, cfg.burst_seconds)
    raise UserError(
        f"data.group_by={cfg.group_by} is unknown: "
        "choose none, column, parent, pattern or capture_time"
    )


def _by_time_of_files(rows: Sequence[Row], burst_seconds: float) -> Grouping:
    taken = [exif_time(row.path) for row in rows]
    times = [time or _file_time(row.path) for row, time in zip(rows, taken, strict=True)]
    names = by_capture_time([row.id for row in rows], times, burst_seconds)
    without = taken.count(None)
    if not without:
        return Grouping(names)
    return Grouping(
        names,
        f"data.group_by=capture_time: {without} of {len(rows)} images say no time of "
        f"capture (EXIF), so the time of the file stands for it ({len(set(names))} groups in all); "
        "a plain copy changes it, so copy with times (cp -a, rsync -a), or choose another "
        "data.group_by",
    )


def _file_time(path: ImagePath) -> datetime:
    if isinstance(path, StoredPath):
        raise UserError(
            f"data.group_by=capture_time: {path} says no time of capture (EXIF), and an object's "
            "own time is that of its upload: choose another data.group_by"
        )
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)


def by_pattern(ids: Sequence[SampleId], pattern: str | None) -> tuple[str, ...]:
    r"""Name groups by the first group of a regular expression, or by its match if it has none.

    >>> by_pattern(["lot7_a.png", "lot7_b.png"], r"(lot\d+)_")
    ('lot7', 'lot7')

    Raises:
        UserError: If the pattern is missing or invalid, or an id does not match.
    """
    if not pattern:
        raise UserError("data.group_by=pattern needs data.group_pattern=REGULAR_EXPRESSION")
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"data.group_pattern {pattern!r} is not valid: {error}") from None
    matches = [expression.search(id) for id in ids]
    names = [match and match.group(min(1, expression.groups)) for match in matches]
    unmatched = [id for id, name in zip(ids, names, strict=True) if not name]
    if unmatched:
        raise UserError(
            f"data.group_pattern {pattern!r} does not match {len(unmatched)} of {len(ids)} ids, "
            f"first {unmatched[0]!r}"
        )
    return tuple(name for name in names if name)


def by_capture_time(
    ids: Sequence[SampleId], times: Sequence[datetime], burst_seconds: float
) -> tuple[str, ...]:
    """Name bursts: images of one folder, each within `burst_seconds` of the one before it.

    A burst is called `<folder>@<time of its first image>`, so it keeps its name when later
    images arrive.

    Raises:
        UserError: If `burst_seconds` is negative.
    """
    if not burst_seconds >= 0:
        raise UserError(f"data.burst_seconds={burst_seconds} must not be negative")
    folders: dict[str, list[tuple[datetime, SampleId]]] = defaultdict(list)
    for id, time in zip(ids, times, strict=True):
        folders[str(PurePosixPath(id).parent)].append((time, id))
    names: dict[SampleId, str] = {}
    gap = timedelta(seconds=burst_seconds)
    for parent, images in folders.items():
        previous = name = None
        for time, id in sorted(images):
            if previous is None or time - previous > gap:
                name = f"{parent}@{time.isoformat()}"
            names[id], previous = str(name), time
    return tuple(names[id] for id in ids)


def exif_time(path: ImagePath) -> datetime | None:
    """Return when a picture was taken (EXIF DateTimeOriginal); None where its file does not say."""
    from PIL import Image

    from alvision.data.images import header_exif, register_heic

    register_heic(path)
    try:
        with path.open("rb") as file, Image.open(file) as image:
            text = header_exif(image).get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL)
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except UserError:  # the storage refuses
        raise
    except Exception:  # A file that cannot be read is set aside later.
        return None
