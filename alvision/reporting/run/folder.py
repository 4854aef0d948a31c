"""Read a run's folder back: everything that a report says comes from these files alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import Event, QueryRow, SampleId
from alvision.core.rounds import read_document
from alvision.labels.consensus import consensus, standing
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile, read_csv


@dataclass(frozen=True)
class RoundFiles:
    """One round as its files tell it.

    Attributes:
        number: The round; 0 is the cold start.
        query: What was asked, in rank order.
        events: What was answered, in the order of the event log.
        metrics: The content of `metrics.json`; None while the round is not finished.
    """

    number: int
    query: tuple[QueryRow, ...] = ()
    events: tuple[Event, ...] = ()
    metrics: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RunFolder:
    """A run as its folder tells it.

    Attributes:
        root: The folder.
        experiment: The content of `experiment.yaml`.
        rounds: The rounds that have begun.
        set_aside: Images that could not be read, and the reason.
    """

    root: Path
    experiment: Mapping[str, Any]
    rounds: tuple[RoundFiles, ...]
    set_aside: Mapping[SampleId, str] = field(default_factory=dict)

    @property
    def finished(self) -> tuple[RoundFiles, ...]:
        """Return the rounds that have metrics."""
        return tuple(rnd for rnd in self.rounds if rnd.metrics is not None)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the class names."""
        return tuple(map(str, self.experiment.get("classes") or ()))

    @property
    def defects(self) -> tuple[str, ...]:
        """Return the classes that are defects; empty if none are named."""
        return tuple(map(str, self.experiment.get("defects") or ()))

    @property
    def choices(self) -> dict[str, str]:
        """Return what was chosen: acquisition, model, data, cold_start, oracle."""
        chosen = self.experiment.get("choices") or {}
        return {str(name): str(value) for name, value in chosen.items() if value is not None}

    def setting(self, *path: str, default: Any = None) -> Any:
        """Return a value of the configuration, e.g. `setting("target", "metric")`."""
        value: Any = self.experiment.get("config")
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return default if value is None else value


@dataclass(frozen=True)
class Word:
    """What is known about one image.

    Attributes:
        kind: `label`, `skip` or `unsure`.
        label: The class, for `label` only.
        votes: Who said what, in the order it was said.
        conflict: The vote was a tie.
    """

    kind: str
    label: str | None
    votes: tuple[tuple[str, str], ...] = ()
    conflict: bool = False


def read(root: Path | str) -> RunFolder:
    """Read a run's folder.

    Raises:
        UserError: The folder is not a run's, or one of its files cannot be read.
    """
    root = Path(root)
    experiment = read_document(root)
    try:
        folders = sorted(path for path in (root / "rounds").glob("*") if path.name.isdigit())
        rounds = tuple(_round(path) for path in folders)
        aside = root / "set_aside.csv"
        set_aside = {row["id"]: row["reason"] for row in read_csv(aside)} if aside.exists() else {}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"a file of {root} is damaged ({error!r}); restore it") from error
    return RunFolder(root, experiment, rounds, set_aside)


def settle(events: Iterable[Event]) -> dict[SampleId, Word]:
    """Say what is known about each image, by the consensus of the label store.

    The files do not name what an undo takes back: here it is that person's last word on the image.

    >>> first = Event("a.png", "label", "ok", "me", 0, "")
    >>> settle([first, Event("a.png", "skip", None, "you", 1, "")])["a.png"].label
    'ok'
    >>> settle([first, Event("a.png", "undo", None, "me", 1, "")])
    {}
    """
    said = _without_undone(events)
    settled = consensus(said)
    words = {}
    for sample, standing_words in standing(said).items():
        if vote := settled.get(sample):
            words[sample] = Word("label", vote.label, tuple(vote.votes.items()), vote.conflict)
        else:
            words[sample] = Word(standing_words[-1].kind, None)
    return words


def _without_undone(events: Iterable[Event]) -> list[Event]:
    kept: list[Event] = []
    for event in events:
        if event.kind != "undo":
            kept.append(event)
            continue
        mine = [k for k, said in enumerate(kept) if (said.id, said.by) == (event.id, event.by)]
        if mine:
            del kept[mine[-1]]
    return kept


def _round(path: Path) -> RoundFiles:
    query, answers, metrics = (path / name for name in ("query.csv", "answers.csv", "metrics.json"))
    return RoundFiles(
        number=int(path.name),
        query=QueryFile().read(query).rows if query.exists() else (),
        events=AnswersFile().read(answers).events if answers.exists() else (),
        metrics=MetricsFile().read(metrics) if metrics.exists() else None,
    )
