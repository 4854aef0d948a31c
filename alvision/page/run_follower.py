"""What the loop's process has written: the batch, the ranking, the model's opinions, the phase."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from alvision.core.records import Locate, QueryRow, SampleId
from alvision.data.set_aside import FILE, read_set_aside
from alvision.labels.content import located
from alvision.run_folder.reading import minutes_left
from alvision.run_folder.round_files import QueryFile

Phase = Literal["features", "asking", "training", "done"]


@dataclass(frozen=True)
class ModelOpinion:
    """Hold what a model says of one image before anybody answers it, as in `opinions.json`.

    Attributes:
        probabilities: The probability of each class.
        neighbours: The nearest labelled images and their classes, the nearest first.
        heatmap: Name of the file of its heatmap, which may not be drawn yet.
        sha256: The bytes that it is about; None in files of older versions.
        strange: The heatmap shows what is unlike the other images, not what led to a prediction.
    """

    probabilities: dict[str, float]
    neighbours: tuple[tuple[SampleId, str], ...]
    heatmap: str | None
    sha256: str | None = None
    strange: bool = False

    def ranked(self) -> list[tuple[str, float]]:
        """Return classes and probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])


@dataclass
class RunFollower:
    """Follow a run's folder; each call of `refresh` costs a few questions to the file system.

    Images are named by their ids of today; what says something about an image that was replaced
    or removed since is left out.

    Args:
        root: The run's folder.
        locate: Finds the image of today by the id and the bytes that it had.

    Attributes:
        round: The newest round that asks; -1 before the first.
        phase: `features` before the first round asks, then `asking` or `training`. It is never
            `done`: only the end of the loop's process says so, see `server.beside`.
        asked: What this round asked for when it was written, under the ids of then.
        batch: What this round asks for.
        ranking: Spare work, see `loop.propose`.
        opinions: What the model says of some of these images, by id.
        expected: The class that the model expected when an image was chosen, in all rounds.
        set_aside: The files that the loop could not read, and the reason.
        minutes_to_features: Minutes until it has read all images, before the first round asks.
    """

    root: Path
    locate: Locate
    round: int = -1
    phase: Phase = "features"
    asked: tuple[QueryRow, ...] = ()
    batch: tuple[QueryRow, ...] = ()
    ranking: tuple[QueryRow, ...] = ()
    opinions: dict[SampleId, ModelOpinion] = field(default_factory=dict)
    expected: dict[SampleId, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    minutes_to_features: int | None = None
    _stamp: int = -1
    """Time stamp of the opinions that were read, in nanoseconds."""
    _aside_stamp: int = -1
    _past: dict[int, dict[SampleId, ModelOpinion]] = field(default_factory=dict)
    """Opinions of earlier rounds, read when somebody asks for them."""

    def folder(self, round: int) -> Path:
        """Return a round's folder."""
        return self.root / "rounds" / f"{round:03d}"

    def refresh(self) -> None:
        """Read what is new in the folder."""
        # query.csv is written last of what a round asks, so with it the ranking is there too.
        while (self.folder(self.round + 1) / "query.csv").exists():
            self.round += 1
            self._read_round(self.round)
        self._read_set_aside()
        self.minutes_to_features = minutes_left(self.root) if self.round < 0 else None
        if self.round < 0:
            return
        folder = self.folder(self.round)
        answered = (folder / "answers.csv").exists()
        self.phase = "training" if answered else "asking"
        self._read_opinions(folder / "opinions.json")

    def relocate(self, locate: Locate) -> None:
        """Name everything by the images of today."""
        self.locate = locate
        self.expected.clear()
        self._past.clear()
        for number in range(self.round + 1):
            self._read_round(number)
        self.refresh()

    def heatmap(self, opinion: ModelOpinion | None) -> Path | None:
        """Return the file of an image's heatmap of this round; None while it is not drawn."""
        if opinion is None or opinion.heatmap is None:
            return None
        path = self.folder(self.round) / "heatmaps" / opinion.heatmap
        return path if path.exists() else None

    def opinion(self, id: SampleId) -> ModelOpinion | None:
        """Return what a model said of an image before it was answered, in whichever round."""
        if id in self.opinions:
            return self.opinions[id]
        for number in range(self.round - 1, -1, -1):
            if number not in self._past:
                path = self.folder(number) / "opinions.json"
                self._past[number] = _opinions(path, self.locate) if path.exists() else {}
            if id in self._past[number]:
                return self._past[number][id]
        return None

    def _read_round(self, number: int) -> None:
        folder = self.folder(number)
        query = QueryFile().read(folder / "query.csv")
        self.asked, self.batch = query.rows, located(query, self.locate).rows
        ranking = folder / "ranking.csv"
        self.ranking = self._rows(ranking) if ranking.exists() else ()
        self.opinions, self._stamp = {}, -1
        for row in (*self.batch, *self.ranking):
            if row.prediction is not None:
                self.expected[row.id] = row.prediction

    def _read_set_aside(self) -> None:
        try:
            stamp = (self.root / FILE).stat().st_mtime_ns
        except OSError:
            stamp = -1
        if stamp != self._aside_stamp:
            self.set_aside, self._aside_stamp = read_set_aside(self.root), stamp

    def _rows(self, path: Path) -> tuple[QueryRow, ...]:
        return located(QueryFile().read(path), self.locate).rows

    def _read_opinions(self, path: Path) -> None:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return
        if stamp != self._stamp:
            self.opinions = _opinions(path, self.locate)
            self._stamp = stamp


def _opinions(path: Path, locate: Locate) -> dict[SampleId, ModelOpinion]:
    content = json.loads(path.read_text(encoding="utf-8"))
    hashes = content.get("sha256", {})  # files of older versions have none

    def today(id: SampleId) -> SampleId | None:
        return locate(id, hashes.get(id))

    opinions = {}
    for id, image in content["images"].items():
        near = [(today(other), label) for other, label in image["neighbours"]]
        if (found := today(id)) is not None:
            opinions[found] = ModelOpinion(
                image["probabilities"],
                tuple((other, label) for other, label in near if other is not None),
                image["heatmap"],
                hashes.get(id),
                image.get("strange", False),
            )
    return opinions
