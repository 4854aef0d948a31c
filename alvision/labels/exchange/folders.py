"""Labels as class folders: one folder a class, with its images."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from alvision.core.errors import UserError
from alvision.core.records import SampleId
from alvision.core.walk import files_below, left_behind, printable
from alvision.labels.answers import allowed_answers, parse_answer
from alvision.labels.consensus import Settled
from alvision.labels.exchange.import_answers import (
    ImportCounts,
    ImportedAnswer,
    import_answers,
    neutral_name,
    refuse_unknown,
)
from alvision.labels.store import LabelStore

if TYPE_CHECKING:
    from alvision.data.storage.stored_path import ImagePath

# Characters that a file system or shell may refuse.
_REFUSED = '%/\\:*?"<>|' + "".join(map(chr, range(32)))


def export_folders(
    settled: Mapping[SampleId, Settled],
    folder: Path,
    path_of: Callable[[SampleId], ImagePath | None],
) -> int:
    r"""Copy every labelled image into its class's folder, under its path in the data.

    Characters that file systems refuse are written as in web addresses (`/` is `%2F`), so that
    every class name can be read back.

    Args:
        settled: The class of each image.
        folder: Where the class folders go; must not exist or be empty.
        path_of: Returns an image's file; None if there is none.

    Returns:
        The number of images.

    Raises:
        UserError: The folder has content, an image has no file, or the disk refuses.
    """
    if folder.exists() and not all(left_behind(place.name) for place in folder.iterdir()):
        raise UserError(f"{folder} is not empty: export into a new folder (to=)")
    for id, image in settled.items():
        source = path_of(id)
        if source is None or not source.is_file():
            raise UserError(f"{id} has no file that could be copied: export a table (form=votes)")
        place = folder / folder_name(image.label) / id
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as content, place.open("wb") as copy:
                shutil.copyfileobj(content, copy)
        except OSError as error:
            raise UserError(f"{place} cannot be written: {error.strerror or error}") from error
    return len(settled)


def import_folders(
    store: LabelStore,
    folder: Path,
    *,
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
    classes: Sequence[str],
    by: str = "import",
    asked: Mapping[SampleId, int] | None = None,
) -> ImportCounts:
    """Import the class of every image in a class folder, all of it or nothing.

    An image is recognised by its bytes, so the file may have another name; a copy that `alvision
    next` made, by its name. The folder's name is a class, `skip` or `unsure`. `asked` is the round
    that asks for an image, see `import_answers`.

    Raises:
        UserError: A folder is not a class, a file is not an image of the data, or an image is in
            two classes.
    """
    lowest = {hashes[id]: id for id in sorted(hashes, reverse=True) if id in frozenset(ids)}
    neutral = {neutral_name(sha256): id for sha256, id in lowest.items()}
    answers: dict[tuple[SampleId, str], ImportedAnswer] = {}
    unknown = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not place.is_dir() or left_behind(place.name):
            continue
        answer = parse_answer(unquote(place.name), classes)
        if answer is None:
            raise UserError(
                f"{place} is not one of {allowed_answers(classes)}: rename it or add it to classes;"
                " nothing was imported"
            )
        label = answer[1] or answer[0]
        for file in sorted(files_below(place)):
            id = lowest.get(hashlib.sha256(file.read_bytes()).hexdigest())
            id = id or neutral.get(file.stem)
            if id is None:
                unknown.append(printable(file.relative_to(folder).as_posix()))
            elif answers.setdefault((id, by), ImportedAnswer(label)).label != label:
                raise UserError(
                    f"{file}: the same image is in another class's folder: keep one; nothing"
                    " was imported"
                )
    refuse_unknown(folder, unknown)
    if not answers:
        raise UserError(f"{folder} has no class folders with images: check from=")
    return import_answers(store, answers, ids=ids, hashes=hashes, asked=asked)


def folder_name(label: str) -> str:
    r"""Return a class's folder.

    >>> folder_name("ok/not ok"), folder_name("größer")
    ('ok%2Fnot ok', 'größer')
    """
    name = "".join(quote(mark, safe="") if mark in _REFUSED else mark for mark in label)
    # Windows drops a dot or space at the end, and a dot at the start hides a folder.
    if name.endswith((".", " ")):
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    return f"%2E{name[1:]}" if name.startswith(".") else name
