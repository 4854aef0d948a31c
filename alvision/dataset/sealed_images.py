"""The sealed test images in a folder of photographs that people label, known without a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from alvision.core.uris import local_place, parts
from alvision.data.hashes import hash_if_readable
from alvision.data.parts import RecordedParts
from alvision.data.storage.stored_path import ImagePath
from alvision.labels.location import beside_data, read_audit


def sealed_among(paths: Sequence[ImagePath], folder: ImagePath) -> set[ImagePath]:
    """Return which images of a folder are sealed, by the record beside it or a folder above it.

    Their names and their bytes tell, as where people label.

    Args:
        paths: Images in the folder.
        folder: The folder or prefix; it need not be one that people label.

    Raises:
        UserError: A record is damaged.
    """
    sealed: set[ImagePath] = set()
    for root, below in _at_or_above(folder):
        record = beside_data(root, "audit.csv")
        if not record.exists():
            continue
        known = RecordedParts.from_rows(read_audit(record))
        for path in paths:
            id = (below / path.relative_to(folder)).as_posix()  # type: ignore[arg-type]
            if known.own(id, None, hash_if_readable(path)) == "seal":
                sealed.add(path)
    return sealed


def _at_or_above(folder: ImagePath) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield what labels lie beside, for a folder and all above it, and the path down from there."""
    if isinstance(folder, Path):
        whole = folder.resolve()
        for root in (whole, *whole.parents):
            yield root, PurePosixPath(whole.relative_to(root).as_posix())
        return
    scheme, bucket, key = parts(folder.uri)
    whole_key = PurePosixPath(key)
    for above in (whole_key, *whole_key.parents):
        uri = f"{scheme}://{bucket}/{above}".removesuffix("/.")
        yield local_place(uri), whole_key.relative_to(above)
