"""What the loop's process has written: the batch, the ranking, opinions, and how far it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from alvision.core.records import QueryRow, SampleId
from alvision.run_folder.round_files import QueryFile

Phase = Literal["features", "asking", "training", "done"]
OPINIONS = "opinions.json"
HEATMAPS = "heatmaps"


@dataclass
class Watch:
    """Follow a run's folder; every call of `refresh` costs a few looks at the file system.

    Args:
        root: The run's folder.

    Attributes:
        round: The newest round that asks; -1 before the first.
        phase: `features` before the first round asks, then `asking` or `training`; `done` is for
            whoever sees the loop's process end.
        batch: What this round asks for.
        ranking: Spare work, see `loop.propose`.
        opinions: What the model says of some of these images, by id.
        expected: The class that the model expected when an image was chosen, in all rounds.
    """

    root: Path
    round: int = -1
    phase: Phase = "features"
    batch: tuple[QueryRow, ...] = ()
    ranking: tuple[QueryRow, ...] = ()
    opinions: dict[SampleId, dict[str, Any]] = field(default_factory=dict)
    expected: dict[SampleId, str] = field(default_factory=dict)
    _read: int = -1
    """Time stamp of the opinions that were read, in nanoseconds."""
    _past: dict[int, dict[SampleId, dict[str, Any]]] = field(default_factory=dict)
    """Opinions of earlier rounds, read when somebody asks for them."""

    def folder(self, round: int) -> Path:
        """Return a round's folder."""
        return self.root / "rounds" / f"{round:03d}"

    def refresh(self) -> bool:
        """Look again; tell whether a new round asks."""
        before = self.round
        while (self.folder(self.round + 1) / "query.csv").exists():
            self.round += 1
            self._take()
        if self.round < 0:
            return False
        folder = self.folder(self.round)
        answered = (folder / "answers.csv").exists()
        self.phase = "training" if answered else "asking"
        self._take_opinions(folder / OPINIONS)
        return self.round != before

    def heatmap(self, name: str) -> Path:
        """Return the file of a heatmap of this round, which may not be there yet."""
        return self.folder(self.round) / HEATMAPS / name

    def opinion(self, id: SampleId) -> dict[str, Any] | None:
        """Return what a model said of an image before it was answered, in whichever round."""
        if id in self.opinions:
            return self.opinions[id]
        for number in range(self.round - 1, -1, -1):
            if number not in self._past:
                path = self.folder(number) / OPINIONS
                self._past[number] = _images(path) if path.exists() else {}
            if id in self._past[number]:
                return self._past[number][id]
        return None

    def _take(self) -> None:
        folder = self.folder(self.round)
        self.batch = QueryFile().read(folder / "query.csv").rows
        ranking = folder / "ranking.csv"
        self.ranking = QueryFile().read(ranking).rows if ranking.exists() else ()
        self.opinions, self._read = {}, -1
        for row in (*self.batch, *self.ranking):
            if row.prediction is not None:
                self.expected[row.id] = row.prediction

    def _take_opinions(self, path: Path) -> None:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return
        if stamp != self._read:
            self.opinions = _images(path)
            self._read = stamp


def _images(path: Path) -> dict[SampleId, dict[str, Any]]:
    images: dict[SampleId, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["images"]
    return images
