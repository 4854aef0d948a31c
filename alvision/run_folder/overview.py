"""What a model expects of the unlabelled pool, as a file: the page fills its grids from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alvision.core.rounds import write_atomically

if TYPE_CHECKING:
    from alvision.core.records import Locate

FILE = "overview.parquet"
"""It lies beside the rounds: a later model writes over it, because only the last one counts."""

_TEXTS = ("id", "sha256", "prediction")


@dataclass(frozen=True, eq=False)
class Overview:
    """What a model expects of N unlabelled images, and where they lie among each other.

    Attributes:
        ids: The images, unique.
        sha256: Hash of the bytes that each had.
        predictions: The most likely class of each.
        shares: Its probability, float32 [N].
        places: A short vector of each, float32 [N,P]: images that look alike to the model are near.
    """

    ids: tuple[str, ...]
    sha256: tuple[str | None, ...]
    predictions: tuple[str, ...]
    shares: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.ids)

    def surest_first(self, label: str) -> list[str]:
        """Return the images that the model takes for a class, the most probable first."""
        return self._by_class.get(label, [])

    @cached_property
    def _by_class(self) -> dict[str, list[str]]:
        """Sort once: a page asks for every class at every grid."""
        found: dict[str, list[str]] = {}
        for row in np.argsort(-self.shares, kind="stable").tolist():
            found.setdefault(self.predictions[row], []).append(self.ids[row])
        return found

    def nearest_first(self, id: str) -> list[str]:
        """Return all other images by their Euclidean distance from one; [] if it is not here.

        >>> places = np.array([[0.0], [3.0], [1.0]], np.float32)
        >>> seen = Overview(("a", "b", "c"), (None,) * 3, ("ok",) * 3, np.ones(3), places)
        >>> seen.nearest_first("a"), seen.nearest_first("d")
        (['c', 'b'], [])
        """
        if id not in self.ids:
            return []
        own = self.ids.index(id)
        apart = np.square(self.places - self.places[own]).sum(1)
        order = np.argsort(apart, kind="stable").tolist()
        return [self.ids[row] for row in order if row != own]

    def located(self, locate: Locate) -> Overview:
        """Return the images that are still there, each once, by the ids of today."""
        rows: dict[str, int] = {}
        for row, id in enumerate(map(locate, self.ids, self.sha256)):
            if id is not None:
                rows.setdefault(id, row)
        kept = list(rows.values())
        return Overview(
            tuple(rows),
            tuple(self.sha256[row] for row in kept),
            tuple(self.predictions[row] for row in kept),
            self.shares[kept],
            self.places[kept],
        )

    def write(self, root: Path) -> None:
        """Write Parquet into a run's folder; the same content gives the same bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = (self.ids, self.sha256, self.predictions)
        columns = {
            name: pa.array(own, pa.string()) for name, own in zip(_TEXTS, texts, strict=True)
        }
        places = np.ascontiguousarray(self.places, np.float16)
        columns["share"] = pa.array(np.asarray(self.shares, np.float32))
        width = pa.binary(2 * places.shape[1])
        columns["place"] = pa.array([row.tobytes() for row in places], width)
        write_atomically(root / FILE, lambda beside: pq.write_table(pa.table(columns), beside))


def read_overview(root: Path) -> Overview | None:
    """Read what `Overview.write` wrote; None where there is none, or a damaged one.

    Nothing depends on it, and the loop's process makes it again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(root / FILE) as file:
            table = file.read()
        ids, hashes, names = (tuple(table.column(name).to_pylist()) for name in _TEXTS)
        shares = table.column("share").to_numpy()
        rows = table.column("place").to_pylist()
        places = np.frombuffer(b"".join(rows), np.float16).reshape(len(ids), -1)
    except (OSError, KeyError, ValueError, pa.ArrowInvalid):
        return None
    return Overview(ids, hashes, names, shares, places.astype(np.float32))
