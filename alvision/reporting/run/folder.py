"""Read a run's folder back: everything that a report says comes from these files alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alvision.core.errors import UserError
from alvision.core.records import Event, QueryRow, SampleId
from alvision.core.rounds import read_document
from alvision.core.uris import local_place
from alvision.data.set_aside import read_set_aside
from alvision.evaluation.metrics import Metric, metric, recorded
from alvision.labels.consensus import consensus, standing
from alvision.labels.location import stored_labels
from alvision.labels.store import LabelStore
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile

WITHOUT_STORE = (
    "An older version wrote the answers of this run without saying what each undo takes back and "
    "what each merged class became, and its label store is gone: this page counts an undo against "
    "that person's last answer to the image, and shows merged classes apart."
)


@dataclass(frozen=True)
class RoundFiles:
    """One round as its files tell it.

    Attributes:
        number: The round; 0 is the cold start.
        query: What was asked, in rank order.
        events: What was answered, in the order of the event log.
        metrics: The content of `metrics.json`; None while the round is not finished.
        maps: Pictures of where images are unlike the others, where the page drew them.
    """

    number: int
    query: tuple[QueryRow, ...] = ()
    events: tuple[Event, ...] = ()
    metrics: Mapping[str, Any] | None = None
    maps: Mapping[SampleId, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFolder:
    """A run as its folder tells it.

    Attributes:
        root: The folder.
        experiment: The content of `experiment.yaml`.
        rounds: The rounds that have begun.
        set_aside: Images that could not be read, and the reason.
        note: What the answers of this folder do not say; None where they say all.
        contest: How the kind of the final model was chosen; None where it was given, or there is
            no final model.
    """

    root: Path
    experiment: Mapping[str, Any]
    rounds: tuple[RoundFiles, ...]
    set_aside: Mapping[SampleId, str] = field(default_factory=dict)
    note: str | None = None
    contest: Mapping[str, Any] | None = None

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

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return the metrics of the run: the shipped ones and the user's own."""
        return recorded(self.experiment.get("metrics"))

    @property
    def answered_by_people(self) -> bool:
        """Tell whether people label the held-out images."""
        return _answered_by_people(self.experiment)

    @property
    def target(self) -> Metric:
        """Return the metric that the run aims at, `target.metric`."""
        return metric(str(self.setting("target", "metric", default="macro_f1")), self.metrics)

    def setting(self, *path: str, default: Any = None) -> Any:
        """Return a value of the configuration, e.g. `setting("target", "metric")`."""
        value: Any = self.experiment.get("config")
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return default if value is None else value


@dataclass(frozen=True)
class ImageAnswer:
    """What people say about one image.

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
        metrics = MetricsFile(audit=_answered_by_people(experiment))
        rounds = tuple(_round(path, metrics) for path in folders)
        set_aside = read_set_aside(root)
        contest = _contest(root / "final" / "model.json")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"a file of {root} is damaged ({error!r}); restore it") from error
    run = RunFolder(root, experiment, rounds, set_aside, contest=contest)
    return run if _names_its_events(run) else _with_names(run)


def answers_by_image(run: RunFolder, upto: int | None = None) -> dict[SampleId, ImageAnswer]:
    """Return what people say about each image, by the label store's own rules.

    Args:
        run: The run.
        upto: The last round whose answers count; None: all of them.
    """
    events = [
        event for rnd in run.rounds if upto is None or rnd.number <= upto for event in rnd.events
    ]
    last = {id: ImageAnswer(words[-1].kind, None) for id, words in standing(events).items()}
    settled = {
        id: ImageAnswer("label", vote.label, tuple(vote.votes.items()), vote.conflict)
        for id, vote in consensus(events).items()
    }
    return {**last, **settled}


def _contest(facts: Path) -> Mapping[str, Any] | None:
    if not facts.is_file():
        return None
    found: Mapping[str, Any] | None = json.loads(facts.read_text(encoding="utf-8")).get("contest")
    return found


def _names_its_events(run: RunFolder) -> bool:
    """Tell whether every undo and merge says what it is about, or there is none."""
    events = [event for rnd in run.rounds for event in rnd.events]
    return all(event.uuid for event in events) or not any(
        event.kind in ("undo", "merge") for event in events
    )


def _with_names(run: RunFolder) -> RunFolder:
    """Complete the events of a folder whose answers.csv has no `uuid` and no `target`.

    They are in the label store, if it is still there. Without it, an undo takes back that person's
    last answer to the image, and a merge cannot be followed.
    """
    stored = _stored_events(run)
    events = [event for rnd in run.rounds for event in rnd.events]
    known = [stored.get(_key(event)) for event in events]
    if all(known):
        named = {event.number: event for event in known if event}
        note = None
    else:
        named = {event.number: event for event in _guessed(events)}
        note = WITHOUT_STORE
    rounds = tuple(
        replace(rnd, events=tuple(named[event.number] for event in rnd.events))
        for rnd in run.rounds
    )
    return replace(run, rounds=rounds, note=note)


def _stored_events(run: RunFolder) -> dict[tuple[Any, ...], Event]:
    """Return the events of the run's label store by what answers.csv knows of them."""
    url, root = run.setting("labels", "url"), run.setting("data", "root")
    beside = stored_labels(local_place(root)) if root else None
    for place in filter(None, (url, run.root / "labels.db", beside)):
        try:
            with LabelStore(place) as store:
                if events := store.events():
                    return {_key(event): event for event in events}
        except UserError:
            continue  # a server that is gone, or a file that is something else
    return {}


def _key(event: Event) -> tuple[Any, ...]:
    return event.number, event.id, event.kind, event.label, event.by


def _guessed(events: Iterable[Event]) -> Iterator[Event]:
    mine: dict[tuple[SampleId, str], list[str]] = {}
    for event in events:
        name, before = f"event {event.number}", mine.setdefault((event.id, event.by), [])
        if event.kind == "undo":
            yield replace(event, uuid=name, target=before.pop() if before else None)
        else:
            before.append(name)
            yield replace(event, uuid=name)


def _answered_by_people(experiment: Mapping[str, Any]) -> bool:
    oracle = (experiment.get("config") or {}).get("oracle") or {}
    return oracle.get("kind", "simulated") != "simulated"


def _round(path: Path, file: MetricsFile) -> RoundFiles:
    query, answers, metrics = (path / name for name in ("query.csv", "answers.csv", "metrics.json"))
    return RoundFiles(
        number=int(path.name),
        query=QueryFile().read(query).rows if query.exists() else (),
        events=AnswersFile().read(answers).events if answers.exists() else (),
        metrics=file.read(metrics) if metrics.exists() else None,
        maps=_maps(path),
    )


def _maps(folder: Path) -> dict[SampleId, Path]:
    path = folder / "opinions.json"
    if not path.exists():
        return {}
    images = json.loads(path.read_text(encoding="utf-8"))["images"]
    drawn = {
        id: folder / "heatmaps" / image["heatmap"]
        for id, image in images.items()
        if image.get("strange")  # in files of earlier versions none is
    }
    return {id: picture for id, picture in drawn.items() if picture.exists()}
