"""Class probabilities by image id and class name: the file that every metric is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.core.records import Locate

_PREFIX = "p:"
"""Keeps a class that is called `id` apart from the column `id`."""


@dataclass(frozen=True, eq=False)
class ClassProbabilities:
    """What a model says about N images and C classes.

    Attributes:
        ids: The images, unique.
        classes: Names of the columns, unique.
        values: Probabilities, [N, C], kept as float32: the precision of the file.
        sha256: Hash of each image's bytes, so that a replaced image is not taken for the one that
            was judged; empty in files of older versions, and where nothing refers to images.

    >>> p = ClassProbabilities(("a.png",), ("ok", "worn"), np.array([[0.25, 0.75]]))
    >>> p.onto(("worn", "torn", "ok")).values.tolist()
    [[0.75, 0.0, 0.25]]
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    values: np.ndarray
    sha256: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        """Check that ids, classes and values fit together."""
        values = np.asarray(self.values, dtype=np.float32)
        if values.shape != (len(self.ids), len(self.classes)):
            raise ValueError(
                f"values {values.shape} for {len(self.ids)} ids and {len(self.classes)} classes"
            )
        if len(self.sha256) not in (0, len(self.ids)):
            raise ValueError(f"{len(self.sha256)} hashes for {len(self.ids)} ids")
        if len(set(self.ids)) < len(self.ids) or len(set(self.classes)) < len(self.classes):
            raise ValueError("ids and classes must be unique")
        if not np.isfinite(values).all():
            raise UserError(
                "the model's probabilities are not numbers, so its training diverged: "
                "lower its learning rate or set trainer.precision=32-true"
            )
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.ids)

    def onto(self, classes: Sequence[str]) -> ClassProbabilities:
        """Reorder the columns to `classes`; a class that the model does not know has probability 0.

        A class of the model that `classes` does not name is dropped.
        """
        values = np.zeros((len(self.ids), len(classes)), dtype=np.float32)
        for column, name in enumerate(classes):
            if name in self.classes:
                values[:, column] = self.values[:, self.classes.index(name)]
        return ClassProbabilities(self.ids, tuple(classes), values, self.sha256)

    def located(self, locate: Locate) -> ClassProbabilities:
        """Return the images that are still there, each once, by the ids of today."""
        hashes = self.sha256 or (None,) * len(self.ids)
        rows: dict[str, int] = {}
        for row, id in enumerate(map(locate, self.ids, hashes)):
            if id is not None:
                rows.setdefault(id, row)
        kept = list(rows.values())
        known = tuple(hashes[row] for row in kept) if self.sha256 else ()
        return ClassProbabilities(tuple(rows), self.classes, self.values[kept], known)

    def write(self, path: Path | str) -> None:
        """Write Parquet: `id`, `sha256` where known, then a column `p:<class>` for each class.

        The same content gives the same bytes.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {_PREFIX + name: self.values[:, k] for k, name in enumerate(self.classes)}
        names = {"id": self.ids, **({"sha256": self.sha256} if self.sha256 else {})}
        texts = {name: pa.array(own, pa.string()) for name, own in names.items()}
        table = pa.table({**texts, **columns})
        pq.write_table(table, path)

    @classmethod
    def read(cls, path: Path | str) -> ClassProbabilities:
        """Read what `write` wrote.

        Raises:
            UserError: The file is damaged or something else.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # Not read_table: it takes `name=value` in a folder's name for a partition column.
            with pq.ParquetFile(path) as file:
                table = file.read()
        except FileNotFoundError:
            raise
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path} is damaged: delete it and run again ({error})") from error
        names = [name for name in table.column_names if name not in ("id", "sha256")]
        if "id" not in table.column_names or not all(name.startswith(_PREFIX) for name in names):
            raise UserError(f"{path} holds no predictions: delete it and run again")
        values = np.empty((table.num_rows, len(names)), dtype=np.float32)
        for k, name in enumerate(names):
            values[:, k] = table.column(name).to_numpy()
        ids = tuple(table.column("id").to_pylist())
        classes = tuple(name.removeprefix(_PREFIX) for name in names)
        hashes = table.column("sha256").to_pylist() if "sha256" in table.column_names else ()
        return cls(ids, classes, values, tuple(hashes))
