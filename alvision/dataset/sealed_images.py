"""The sealed test images in a folder of photographs that people label, known without a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alvision.data.hashes import hash_if_readable
from alvision.data.parts import RecordedParts
from alvision.labels.location import beside_data, read_audit


def sealed_among(paths: Sequence[Path], folder: Path) -> set[Path]:
    """Return which images of a folder are sealed, by the record beside it or a folder above it.

    Their names and their bytes tell, as where people label.

    Args:
        paths: Images in the folder.
        folder: The folder; it need not be one that people label.

    Raises:
        UserError: A record is damaged.
    """
    whole = folder.resolve()
    sealed: set[Path] = set()
    for root in (whole, *whole.parents):
        record = beside_data(root, "audit.csv")
        if not record.exists():
            continue
        known = RecordedParts.from_rows(read_audit(record))
        for path in paths:
            id = (whole / path.relative_to(folder)).relative_to(root).as_posix()
            if known.own(id, None, hash_if_readable(path)) == "seal":
                sealed.add(path)
    return sealed
