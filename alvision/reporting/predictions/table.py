"""Predictions as a table that is written while it grows, and the pictures that tell most."""

from __future__ import annotations

import csv
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import Bundle
from alvision.deploy.bundle.predict import Prediction, columns, predict, row
from alvision.reporting.predictions.page import page

TELLING = 500
ROWS = 1024


def write(
    bundle: Bundle,
    paths: Sequence[Path],
    root: Path,
    to: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Predict a folder into a table (.csv or .parquet) and a page beside it.

    The table grows row by row under another name and is put in place at the end; memory does not
    depend on the number of images. The page shows the 500 images that the model is least sure of
    or finds strangest, with heatmaps.

    Args:
        bundle: The bundle.
        paths: The images.
        root: The folder that the names are relative to.
        to: The table.
        progress: Called with (done, total).

    Returns:
        How many images there are of each verdict (of each class, where no class is a defect), of
        novel and of unreadable ones.

    Raises:
        UserError: The table has another suffix, or cannot be written.
    """
    if to.suffix not in (".csv", ".parquet"):
        raise UserError(f"to={to} must end in .csv or .parquet")
    counts: Counter[str] = Counter()
    telling: list[tuple[float, int, Prediction]] = []
    beside = to.with_name(f".{to.name}.part")
    to.parent.mkdir(parents=True, exist_ok=True)
    with _table(beside, to.suffix, bundle) as append:
        for done, prediction in enumerate(predict(bundle, paths, root, maps=True), start=1):
            append(row(bundle, prediction))
            counts.update(_kinds(prediction))
            rank = (_telling(bundle, prediction), -done, prediction)
            (heapq.heappush if len(telling) < TELLING else heapq.heappushpop)(telling, rank)
            progress(done, len(paths))
    beside.replace(to)
    shown = [prediction for _, _, prediction in sorted(telling, reverse=True)]
    to.with_suffix(".html").write_text(page(bundle, shown, root, counts), encoding="utf-8")
    return counts


def _kinds(prediction: Prediction) -> list[str]:
    if prediction.values is None:
        return ["unreadable"]
    kind = prediction.values["verdict"] or prediction.values["class"]
    return [kind, *(["novel"] if prediction.values["novelty"] > 1 else [])]


def _telling(bundle: Bundle, prediction: Prediction) -> float:
    """Say how much a look at an image tells: doubt between the two likeliest, or strangeness."""
    if prediction.values is None:
        return -1.0
    likely = sorted(prediction.values[f"p:{name}"] for name in bundle.classes)
    return max(1 - (likely[-1] - likely[-2]), prediction.values["novelty"] - 0.5)


@contextmanager
def _table(path: Path, suffix: str, bundle: Bundle) -> Iterator[Callable[[list[Any]], None]]:
    names = columns(bundle)
    if suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(names)
            yield table.writerow
        return
    text = {"image", "class", "verdict", "reason"}
    schema = pa.schema([(n, pa.string() if n in text else pa.float64()) for n in names])
    waiting: list[list[Any]] = []
    with pq.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            arrays = [pa.array(c, f.type) for c, f in zip(zip(*waiting), schema)]  # noqa: B905
            writer.write_table(pa.table(arrays, schema=schema))
            waiting.clear()

        def append(values: list[Any]) -> None:
            waiting.append(values)
            if len(waiting) == ROWS:
                flush()

        yield append
        if waiting:
            flush()
