"""Predictions as a table that is written row by row, and the images most worth a look."""

from __future__ import annotations

import csv
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.data.storage.stored_path import ImagePath
from alvision.deploy.bundle.box_table import Boxes
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import Prediction, predict
from alvision.deploy.bundle.verdict import COLUMNS

SHOWN = 500
"""Images kept for the page, however many there are: memory and the page must stay small."""
ROWS = 1024
"""Rows of a parquet row group."""


@dataclass(frozen=True)
class Tabulated:
    """The summary of a table of predictions.

    Attributes:
        counts: Images of each verdict (of each class, where no class is a defect), of novel and
            of unreadable ones.
        shown: The images that the model is least sure of or finds most novel, with their maps;
            the most telling first.
    """

    counts: Counter[str]
    shown: list[Prediction]


def columns(bundle: Bundle) -> list[str]:
    """Return the names of the table's columns."""
    return ["image", *COLUMNS, *(f"p:{name}" for name in bundle.classes), "reason"]


def row(bundle: Bundle, prediction: Prediction) -> list[Any]:
    """Return a prediction as a row of the table; None where nothing is known."""
    unknown: list[Any] = [None] * (len(COLUMNS) + len(bundle.classes))
    values = prediction.decision.values() if prediction.decision else unknown
    return [prediction.image, *values, prediction.reason]


def write_table(
    bundle: Bundle,
    paths: Sequence[ImagePath],
    root: ImagePath,
    to: Path,
    *,
    boxes: Boxes | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tabulated:
    """Predict images into a table, .csv or .parquet.

    The table grows under another name and is renamed at the end, so that a half-written one is
    never taken for a whole one. Memory does not depend on the number of images.

    Args:
        bundle: The bundle.
        paths: The images.
        root: The folder that the names are relative to.
        to: The table.
        boxes: Takes the hot spots, see `box_table`.
        progress: Called with (done, total).

    Raises:
        UserError: The table has another suffix.
        OSError: It cannot be written.
    """
    if to.suffix not in (".csv", ".parquet"):
        raise UserError(f"to={to} must end in .csv or .parquet")
    counts: Counter[str] = Counter()
    best: list[tuple[float, int, Prediction]] = []
    beside = to.with_name(f".{to.name}.part")
    to.parent.mkdir(parents=True, exist_ok=True)
    with _table(beside, to.suffix, bundle) as append:
        for done, prediction in enumerate(predict(bundle, paths, root, maps=True), start=1):
            append(row(bundle, prediction))
            if boxes is not None:
                boxes.add(prediction)
            counts.update(_kinds(prediction))
            worth = bundle.worth(prediction.decision) if prediction.decision else -1.0
            # The number breaks ties, because predictions themselves have no order.
            ranked = (worth, -done, prediction)
            (heapq.heappush if len(best) < SHOWN else heapq.heappushpop)(best, ranked)
            progress(done, len(paths))
    beside.replace(to)
    return Tabulated(counts, [prediction for _, _, prediction in sorted(best, reverse=True)])


def _kinds(prediction: Prediction) -> list[str]:
    if prediction.decision is None:
        return ["unreadable"]
    kind = prediction.decision.verdict or prediction.decision.class_name
    return [kind, *(["novel"] if prediction.decision.novelty > 1 else [])]


@contextmanager
def _table(path: Path, suffix: str, bundle: Bundle) -> Iterator[Callable[[list[Any]], object]]:
    if suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(columns(bundle))
            yield table.writerow
    else:
        with _parquet(path, columns(bundle)) as append:
            yield append


@contextmanager
def _parquet(path: Path, names: list[str]) -> Iterator[Callable[[list[Any]], object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = {"image", "class", "verdict", "reason"}
    schema = pa.schema([(name, pa.string() if name in text else pa.float64()) for name in names])
    waiting: list[list[Any]] = []
    with pq.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            columns = zip(zip(*waiting, strict=True), schema, strict=True)
            arrays = [pa.array(values, field.type) for values, field in columns]
            writer.write_table(pa.table(arrays, schema=schema))
            waiting.clear()

        def append(values: list[Any]) -> None:
            waiting.append(values)
            if len(waiting) == ROWS:
                flush()

        yield append
        if waiting:
            flush()
