"""The running head: what labelling has brought so far, and what is left."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.records import SampleId
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.page.assignment import Desk
from alvision.page.counters import STREAK
from alvision.page.secret import keyed
from alvision.page.state import Board
from alvision.page.vocabulary import Office

METRIC = "macro F1"
_RESAMPLES = 200
_CHANGES_SHOWN = 12


@dataclass
class Progress:
    """What is computed beside the requests, when a round or the audit has grown."""

    curve: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[SampleId, str, str]] = field(default_factory=list)
    changed_count: int = 0


class Head:
    """Tell how far a run is; `look` does the slow part and belongs into a thread of its own.

    Args:
        board: The state.
        desk: Knows the batch.
        office: Knows the classes.
    """

    def __init__(self, board: Board, desk: Desk, office: Office) -> None:
        self._board = board
        self._desk = desk
        self._office = office
        self._progress = Progress()
        self._store = keyed(board.setting.secret, "store", "")
        self._looked_at: tuple[int, int] | None = None
        self.ended = threading.Event()
        self.trouble: str | None = None
        """What the loop's process said when it ended by an error."""

    def state(self, by: str) -> dict[str, Any]:
        """Return everything that the page shows around the image."""
        board = self._board
        with board.lock:
            board.refresh()
            if by:
                board.seen(by)
            ledger, tally, progress = board.ledger, board.tally, self._progress
            classes = self._office.classes()
            open_ = {one["name"] for one in classes}
            left = len(board.setting.paths) - len(ledger.words)
            pace = tally.pace()
            return {
                "store": self._store,
                "setup": len(classes) < 2,
                "classes": classes,
                "labels": len(ledger.settled),
                "mine": tally.mine[by],
                "seconds": round(tally.seconds, 1),
                "book_version": ledger.book.version,
                "conflicts": len(tally.conflicts()),
                "people": sorted(board.here()),
                "experts": list(board.setting.experts),
                "blind": board.setting.blind,
                "batch": self._desk.progress(),
                "phase": "done" if self.ended.is_set() else board.watch.phase,
                "trouble": self.trouble,
                "metric": METRIC,
                "curve": progress.curve,
                "changed": [
                    {"item": board.pictures.address(id), "before": before, "after": after}
                    for id, before, after in progress.changed
                ],
                "changed_count": progress.changed_count,
                "hours_left": None if pace is None else round(left * pace / 3600, 2),
                "predicted": [
                    {"name": name, "answers": STREAK} for name in tally.predicted() if name in open_
                ],
            }

    def look(self) -> None:
        """Compute the curve and the changes anew, if there is anything new to compute them from."""
        board = self._board
        with board.lock:
            board.refresh()
            held_out = board.setting.held_out
            labels = {id: s.label for id, s in board.ledger.settled.items() if id in held_out}
            rounds = board.watch.round + 1
        finished = [
            folder
            for folder in (board.watch.folder(number) for number in range(rounds))
            if (folder / "metrics.json").exists()
        ]
        if self._looked_at == (len(finished), hash(frozenset(labels.items()))):
            return
        self._looked_at = (len(finished), hash(frozenset(labels.items())))
        points = [point(folder, labels) for folder in finished]
        progress = Progress([one for one in points if one])
        if len(finished) > 1:
            changes = changed(*(_predictions(folder) for folder in finished[-2:]))
            progress.changed_count = len(changes)
            # Only what has an answer: the others are yet to be asked, and blind.
            known = [change for change in changes if change[0] in labels]
            progress.changed = known[:_CHANGES_SHOWN]
        self._progress = progress


def point(folder: Path, labels: Mapping[SampleId, str]) -> dict[str, Any] | None:
    """Return a round's place on the learning curve, by the audit's labels of now.

    Macro-F1 over the classes that the labels hold, with the 95 % percentile interval of a bootstrap
    over the audit's images; None while fewer than two of them are labelled.
    """
    found = _predictions(folder)
    rows = [(row, labels[id]) for row, id in enumerate(found.ids) if id in labels]
    if len(rows) < 2:
        return None
    names = sorted({*found.classes, *(label for _, label in rows)})
    code = {name: place for place, name in enumerate(names)}
    called = found.values[[row for row, _ in rows]].argmax(1)
    predicted = np.array([code[found.classes[column]] for column in called])
    pairs = np.array([code[label] for _, label in rows]) * len(names) + predicted
    draws = np.random.default_rng(0).integers(0, len(pairs), (_RESAMPLES, len(pairs)))
    low, high = np.percentile(_macro_f1(pairs[draws], len(names)), [2.5, 97.5])
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    value = float(_macro_f1(pairs[None], len(names))[0])
    return {"labels": metrics["labels"], "value": value, "low": float(low), "high": float(high)}


def changed(
    before: ClassProbabilities, after: ClassProbabilities
) -> list[tuple[SampleId, str, str]]:
    """Return the images that two models call differently, and both calls."""
    earlier = dict(zip(before.ids, before.values.argmax(1).tolist(), strict=True))
    changes = []
    for id, column in zip(after.ids, after.values.argmax(1).tolist(), strict=True):
        if id in earlier:
            was, now = before.classes[earlier[id]], after.classes[column]
            if was != now:
                changes.append((id, was, now))
    return changes


def _macro_f1(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return macro-F1 of each sample, [s]; `pairs` [s,n] are label · classes + called."""
    cells = count * count
    shifted = pairs + cells * np.arange(len(pairs))[:, None]
    table = np.bincount(shifted.ravel(), minlength=cells * len(pairs)).reshape(-1, count, count)
    hits, support, called = np.diagonal(table, axis1=1, axis2=2), table.sum(2), table.sum(1)
    seen = support > 0
    scores = 2 * hits / np.maximum(support + called, 1)
    return np.where(seen, scores, 0).sum(1) / seen.sum(1)


@lru_cache(maxsize=64)
def _predictions(folder: Path) -> ClassProbabilities:
    """Read a finished round's predictions, which never change."""
    return ClassProbabilities.read(folder / "predictions.parquet")
