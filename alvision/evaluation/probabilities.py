"""Class probabilities by image id and class name: the file that every metric is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alvision.core.errors import UserError

_PREFIX = "p:"
"""Keeps a class that is called `id` apart from the column `id`."""


@dataclass(frozen=True, eq=False)
class ClassProbabilities:
    """What a model says about N images and C classes.

    Attributes:
        ids: The images, unique.
        classes: Names of the columns, unique.
        values: Probabilities, [N, C], kept as float32: the precision of the file.

    >>> p = ClassProbabilities(("a.png",), ("ok", "worn"), np.array([[0.25, 0.75]]))
    >>> p.onto(("worn", "torn", "ok")).values.tolist()
    [[0.75, 0.0, 0.25]]
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        """Check that ids, classes and values fit together."""
        values = np.asarray(self.values, dtype=np.float32)
        if values.shape != (len(self.ids), len(self.classes)):
            raise ValueError(
                f"values {values.shape} for {len(self.ids)} ids and {len(self.classes)} classes"
            )
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
        return ClassProbabilities(self.ids, tuple(classes), values)

    def write(self, path: Path | str) -> None:
        """Write Parquet: column `id`, then one column `p:<class>` for each class.

        The same content gives the same bytes.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {_PREFIX + name: self.values[:, k] for k, name in enumerate(self.classes)}
        table = pa.table({"id": pa.array(self.ids, pa.string()), **columns})
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
        names = [name for name in table.column_names if name != "id"]
        if "id" not in table.column_names or not all(name.startswith(_PREFIX) for name in names):
            raise UserError(f"{path} holds no predictions: delete it and run again")
        values = np.empty((table.num_rows, len(names)), dtype=np.float32)
        for k, name in enumerate(names):
            values[:, k] = table.column(name).to_numpy()
        ids = tuple(table.column("id").to_pylist())
        return cls(ids, tuple(name.removeprefix(_PREFIX) for name in names), values)
