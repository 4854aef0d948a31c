"""The list of images, which everything else refers to by id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from alvision.core.doors import TARGET, function
from alvision.core.errors import UserError
from alvision.core.label_sets import refuse_sets
from alvision.data.groups import grouped
from alvision.data.sources.digits import digits
from alvision.data.sources.elpv import elpv
from alvision.data.sources.embeddings import embeddings
from alvision.data.sources.folder import class_folders, folder
from alvision.data.sources.pool import manifest
from alvision.data.sources.rows import Listing, Row, Shown, absolute, normal
from alvision.data.sources.table import csv_table, parquet_table
from alvision.data.sources.texts import text_table
from alvision.data.sources.torchvision_sets import torchvision_set
from alvision.data.sources.xsdd import xsdd
from alvision.data.storage.stored_path import ImagePath, StoredPath

if TYPE_CHECKING:
    import numpy as np

    from alvision.config.schema import DataConfig
    from alvision.core.records import SampleId


@dataclass(frozen=True)
class Manifest:
    """List N images and what is known about them, as columns whose rows align; ascending by id.

    Attributes:
        root: Folder or prefix that the ids are relative to.
        ids: Paths relative to the root, with `/` and in NFC.
        paths: Where they are: absolute paths, or objects in storage.
        groups: Images that must stay together, by name; None where none is given.
        splits: `train`, `test` or None.
        truth: Class names, None where unknown. Only the simulated oracle, the evaluator, the
            splitter and `check` may read it.
        answer_shares: How often people give each answer, by class; for the simulated oracle alone.
        set_aside: Files that have no id, by printable name, and the reason.
        features: Embeddings, float32 [N, D], for data that has no images; else None.
        features_by: Names what made the features, where that was alvision (texts); else empty.
        shown: What people are shown of each row, where that is more or other than its image.
        notice: What a person should know of how the groups were found; else None.
    """

    root: ImagePath
    ids: tuple[SampleId, ...]
    paths: tuple[ImagePath, ...]
    groups: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    truth: tuple[str | None, ...]
    features: np.ndarray | None = None
    features_by: str = ""
    shown: tuple[Shown | None, ...] = ()
    answer_shares: tuple[Mapping[str, float] | None, ...] = ()
    notice: str | None = None
    set_aside: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.ids)

    @property
    def is_text(self) -> bool:
        """Tell whether each row is a text, whose features alvision makes itself."""
        made = self.features is None or bool(self.features_by)
        return made and any(self.shown) and all(one and one.text for one in self.shown)

    @cached_property
    def _rows(self) -> dict[SampleId, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def row(self, id: SampleId) -> int:
        """Return the row number of an image; KeyError if it is unknown."""
        return self._rows[id]

    def path(self, id: SampleId) -> ImagePath:
        """Return where an image is, a file or an object; KeyError if it is unknown."""
        return self.paths[self._rows[id]]

    def subset(self, ids: Collection[SampleId]) -> Manifest:
        """Return the manifest of some of the images; KeyError if one is unknown."""
        rows = sorted(self._rows[id] for id in ids)
        columns: dict[str, Any] = {
            field.name: tuple(column[row] for row in rows)
            for field in fields(self)
            if isinstance(column := getattr(self, field.name), tuple) and column
        }
        features = None if self.features is None else self.features[rows]
        return replace(self, features=features, **columns)


SOURCES: dict[str, Callable[[DataConfig], Listing]] = {
    "folder": folder,
    "class_folders": class_folders,
    "csv": csv_table,
    "parquet": parquet_table,
    "embeddings": embeddings,
    "text": text_table,
    "manifest": manifest,
    "elpv": elpv,
    "xsdd": xsdd,
    "digits": digits,
    "torchvision": torchvision_set,
}
"""Every value of `data.kind` and its reader."""


def build(cfg: DataConfig) -> Manifest:
    """List the images of a data set, ascending by id.

    Raises:
        UserError: If the data set cannot be read as configured, or two images share an id.
    """
    listing = _own(cfg) if cfg.source is not None else _shipped(cfg)
    rows = sorted(listing.rows, key=lambda row: row.id)
    repeated = [id for id, count in Counter(row.id for row in rows).items() if count > 1]
    if repeated:
        raise UserError(
            f"{len(repeated)} ids occur more than once, first {repeated[0]!r}: every image needs "
            "an id of its own, one row and one class (several boxes or labels are not supported)"
        )
    features, grouping = _stacked(rows), grouped(rows, cfg)
    return Manifest(
        root=listing.root,
        ids=tuple(row.id for row in rows),
        paths=tuple(row.path for row in rows),
        groups=grouping.names,
        splits=tuple(row.split for row in rows),
        truth=tuple(row.truth for row in rows),
        features=features,
        shown=tuple(row.shown for row in rows),
        answer_shares=tuple(row.answer_shares for row in rows),
        notice=grouping.notice,
        set_aside=listing.set_aside,
    )


def _stacked(rows: Sequence[Row]) -> np.ndarray | None:
    """Return the feature vectors of all rows, float32 [N, D]; None where there is none."""
    vectors = [row.features for row in rows if row.features is not None]
    if not vectors:
        return None
    import numpy as np

    return np.stack(vectors)


def _shipped(cfg: DataConfig) -> Listing:
    if cfg.kind not in SOURCES:
        raise UserError(
            f"data.kind={cfg.kind} is unknown: choose one of {', '.join(SOURCES)}, or name "
            "a reader of your own with data.source"
        )
    return SOURCES[cfg.kind](cfg)


def _own(cfg: DataConfig) -> Listing:
    """Read the images by a function of the user's own, and check what it gives."""
    listing = function(cfg.source, "data.source")(cfg)
    if not isinstance(listing, Listing) or not all(isinstance(row, Row) for row in listing.rows):
        raise UserError(
            f"data.source: {cfg.source[TARGET]} must return a Listing(root, [Row(id, path), ...]) "
            "of alvision.data.sources.rows"
        )
    if not listing.rows:
        raise UserError(f"data.source: {cfg.source[TARGET]} found no image")
    for row in listing.rows:
        if row.truth is not None and not isinstance(row.truth, str):
            raise UserError(
                f"data.source: the class of {row.id!r} is {row.truth!r}: give one class as text, "
                "or None where it is not known"
            )
    refuse_sets((row.truth for row in listing.rows), "data.source")
    with_features = sum(row.features is not None for row in listing.rows)
    if with_features not in (0, len(listing.rows)):
        raise UserError(
            f"data.source: {with_features} of {len(listing.rows)} rows have features; all or none"
        )
    rows = [row._replace(id=normal(str(row.id)), path=_whole(row.path)) for row in listing.rows]
    return Listing(_whole(listing.root), rows, listing.set_aside)


def _whole(path: ImagePath) -> ImagePath:
    return path if isinstance(path, StoredPath) else absolute(path)
