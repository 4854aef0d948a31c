"""The plain files of a round: what was asked, what was answered, what came of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alvision.core.records import Answers, Event, Query, QueryRow
from alvision.core.rounds import write_atomically
from alvision.evaluation.audit import withheld
from alvision.evaluation.probabilities import ClassProbabilities

QUERY_COLUMNS = ("id", "rank", "score", "slot", "propensity", "prediction", "reason", "sha256")
"""The columns of query.csv and ranking.csv; `sha256` is last because older files lack it."""
ANSWER_COLUMNS = ("event", "id", "kind", "label", "by", "round", "uuid", "target")
"""The columns of answers.csv; `uuid` and `target` are last because older files lack them."""


class QueryFile:
    """`query.csv` and `ranking.csv`: one row an image, in rank order."""

    def write(self, value: Query, path: Path) -> None:
        """Write a query; numbers keep every digit."""
        rows = [[_text(getattr(row, column)) for column in QUERY_COLUMNS] for row in value.rows]
        _write_csv(path, QUERY_COLUMNS, rows)

    def read(self, path: Path) -> Query:
        """Read it back; the round is the folder's name."""
        rows = tuple(
            QueryRow(
                id=row["id"],
                rank=int(row["rank"]),
                score=_number(row["score"]),
                slot=row["slot"],
                propensity=_number(row["propensity"]),
                prediction=row["prediction"] or None,
                reason=row["reason"],
                sha256=row.get("sha256") or None,
            )
            for row in read_csv(path)
        )
        return Query(round=int(path.parent.name), rows=rows)


def last_query(root: Path) -> Query | None:
    """Return what the last round of a run asks; None before it has asked anything."""
    asked = sorted(root.glob("rounds/[0-9][0-9][0-9]/query.csv"))
    return QueryFile().read(asked[-1]) if asked else None


class AnswersFile:
    """`answers.csv`: the slice of the event log that a round has seen."""

    def write(self, value: Answers, path: Path) -> None:
        """Write the events in the order of the log."""
        rows = [
            [
                str(event.number),
                event.id,
                event.kind,
                event.label or "",
                event.by,
                str(event.round),
                event.uuid,
                event.target or "",
            ]
            for event in value.events
        ]
        _write_csv(path, ANSWER_COLUMNS, rows)

    def read(self, path: Path) -> Answers:
        """Read the columns that the file has; an older file has no `uuid` and no `target`."""
        events = tuple(
            Event(
                id=row["id"],
                kind=row["kind"],  # type: ignore[arg-type]
                label=row["label"] or None,
                by=row["by"],
                round=int(row["round"]),
                uuid=row.get("uuid") or "",
                number=int(row["event"]),
                target=row.get("target") or None,
            )
            for row in read_csv(path)
        )
        return Answers(events, events[-1].number if events else 0)


class MetricsFile:
    """`metrics.json`: plain numbers, keys in order.

    Args:
        audit: People label the held-out images: a file of any version gives no figure of too few,
            see `evaluation.audit`.
    """

    def __init__(self, *, audit: bool = False) -> None:
        self._audit = audit

    def write(self, value: Mapping[str, Any], path: Path) -> None:
        """Write indented, so that two runs can be compared by eye."""
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def read(self, path: Path) -> dict[str, Any]:
        """Read it back."""
        metrics = json.loads(path.read_text(encoding="utf-8"))
        return withheld(metrics) if self._audit else metrics


class ModelFile:
    """`model.ckpt`, in the learner's own form."""

    def __init__(self, learner: Any) -> None:
        self.write = learner.save
        self.read = learner.load


class PredictionsFile:
    """`predictions.parquet`; a class added since it was written has probability 0."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def write(self, value: ClassProbabilities, path: Path) -> None:
        """Write probabilities over the classes of their model."""
        value.write(path)

    def read(self, path: Path) -> ClassProbabilities:
        """Read them over the classes of today."""
        return ClassProbabilities.read(path).onto(self.classes)


def codecs(learner: Any, classes: tuple[str, ...], *, audit: bool = False) -> dict[str, Any]:
    """Return how each step of a round is written and read.

    Args:
        learner: Writes and reads models.
        classes: The classes of today.
        audit: People label the held-out images.
    """
    return {
        "ranking.csv": QueryFile(),
        "query.csv": QueryFile(),
        "answers.csv": AnswersFile(),
        "model.ckpt": ModelFile(learner),
        "predictions.parquet": PredictionsFile(classes),
        "metrics.json": MetricsFile(audit=audit),
    }


def write_metrics_table(
    path: Path, history: list[dict[str, Any]], metrics: tuple[str, ...]
) -> None:
    """Write `metrics.csv`: one row a round, a blank where nothing is known.

    `answers` and `seconds` are sums since the start: answers given, and the time they took.
    """
    columns = ("round", "labels", "answers", "seconds", *metrics)
    rows = [[_text(row.get(column)) for column in columns] for row in history]
    write_atomically(path, lambda beside: _write_csv(beside, columns, rows))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a table with a head row."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_line(cells) for cells in (columns, *rows))


def _line(cells: Sequence[str]) -> str:
    # The writer quotes a carriage return only where it ends its own lines by one.
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _text(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _number(text: str) -> float | None:
    return float(text) if text else None
