"""`labels`: verify, show, export, import and back up the labels of a data set or a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from alvision.cli.labels_files import (
    ExportOptions,
    ImportOptions,
    export_labels,
    import_labels,
)
from alvision.cli.open_labels import LabelsOptions, OpenLabels
from alvision.cli.options import near_action, option
from alvision.config.limits import at_least
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.labels.exchange.label_studio_server import Server

USAGE = """\
alvision labels verify data.root=photos                check the store against the images
alvision labels history data.root=photos n=20          what was said, by whom
alvision labels people data.root=photos                who agrees with the consensus
alvision labels mark data.root=photos class=worn defect=true
alvision labels export data.root=photos to=labels.csv
alvision labels import data.root=photos from=labels.csv "classes=[ok,worn]" by=anna
alvision labels import data.root=photos from=instances.json none=ok "several=[crack,scratch]"
alvision labels backup data.root=photos to=kept
alvision labels audit out=runs/photos/uncertainty_herding/seed-0 n=20
alvision labels push out=runs/photos/uncertainty_herding/seed-0 server=http://localhost:8080
alvision labels pull out=runs/photos/uncertainty_herding/seed-0 server=http://localhost:8080

The store is the one beside data.root=, that of the run in out=, or labels.url=.
import reads a table with the columns id and label (and by), class folders, an
exported log, or labels of another tool: COCO, YOLO, Pascal VOC, CVAT, FiftyOne and
Label Studio. An image with boxes of one class gets that class; none= names the
class of images without a box, several= which class goes first. With out=, answers
to images that the run asks for count as those of by=, and the run goes on. A backup
(from=kept) rebuilds a store that is empty. slot=seal sets the images of an imported
table apart for `alvision threshold`: known bad parts, photographed as the line does,
that nobody labelled before.
audit draws unlabelled images, some of them where the last model doubts, and says from
their answers how many it calls wrong; the limits hold however often you ask.
push sends a round's images to Label Studio with the model's opinion and the
reason, pull takes everybody's answers; both may be repeated. Put your access
token for Label Studio into LABEL_STUDIO_API_KEY."""


ORACLE = "files"
"""Labels without a run are people's."""


@dataclass(frozen=True, kw_only=True)
class HistoryOptions(LabelsOptions):
    """The words of `labels history`."""

    command = "labels history"
    example = "alvision labels history data.root=photos n=20"

    n: int | None = option("The newest lines only.", default=None, limits=at_least(1), shown="all")
    id: str | None = option("One image only.", default=None, shown="all")


@dataclass(frozen=True, kw_only=True)
class MarkOptions(LabelsOptions):
    """The words of `labels mark`."""

    command = "labels mark"
    example = "alvision labels mark data.root=photos class=worn defect=true"

    name: str = option("The class.", key="class")
    defect: bool = option("It is a defect; false: it is none.", default=True)
    by: str = option("Who says so.", default="labels")


@dataclass(frozen=True, kw_only=True)
class BackupOptions(LabelsOptions):
    """The words of `labels backup`."""

    command = "labels backup"
    example = "alvision labels backup data.root=photos to=kept"

    to: Path | None = option("A new folder.", default=None, shown="labels-<date and time>")


@dataclass(frozen=True, kw_only=True)
class AuditOptions(LabelsOptions):
    """The words of `labels audit`."""

    command = "labels audit"
    example = "alvision labels audit out=runs/photos/uncertainty_herding/seed-0"

    n: int = option("Drawn images that wait for an answer.", default=20, limits=at_least(0))


@dataclass(frozen=True, kw_only=True)
class ServerOptions(LabelsOptions):
    """The words of `labels push` and `labels pull`."""

    command = "labels push and pull"
    example = "alvision labels push out=runs/photos/uncertainty_herding/seed-0"

    server: str | None = option(
        "Address of the Label Studio server.",
        default=None,
        shown="LABEL_STUDIO_URL, or http://localhost:8080",
    )
    project: str | None = option("Its project.", default=None, shown="<name>")


OPTIONS = (
    LabelsOptions,
    HistoryOptions,
    MarkOptions,
    ExportOptions,
    ImportOptions,
    BackupOptions,
    AuditOptions,
    ServerOptions,
)


def labels(words: list[str]) -> int:
    """Do what the action says with the labels of a data set or a run."""
    name, words = (words[0], words[1:]) if words else ("", [])
    if name not in _ACTIONS:
        raise UserError(
            f"labels needs an action: alvision labels {'|'.join(_ACTIONS)} key=value ..."
            f"{near_action(name, _ACTIONS)}"
        )
    action = _ACTIONS[name]
    options, words = action.options.take(words)

    from alvision.dataset.dataset import open_label_store
    from alvision.dataset.people import with_choices

    if options.out:
        config = _of_run(options.out, words)
    elif name == "push":  # which run it is without out= follows from its strategy: Hydra knows
        config = _composed(words)
    else:
        config = _beside_data(words)
    with open_label_store(config) as store:
        if config.answered_by_people:
            config = with_choices(config, store)
        return action.run(OpenLabels(store, config), options)


def _verify(opened: OpenLabels, options: LabelsOptions) -> int:
    from alvision.labels.verify import verify

    problems = verify(
        opened.store,
        ids=opened.data.manifest.ids,
        hashes=opened.data.hashes,
        classes=opened.classes.keys,
    )
    for problem in problems:
        print(f"- {problem}")
    print(f"{opened.store.last()} events, {len(problems)} problems")
    return int(bool(problems))


def _history(opened: OpenLabels, options: HistoryOptions) -> int:
    from alvision.labels.history import history

    events = opened.store.events()
    lines = zip(events, history(events, opened.classes), strict=True)
    wanted = [line for event, line in lines if options.id in (None, event.id)]
    for line in wanted[-options.n :] if options.n else wanted:
        print(line)
    return 0


def _mark(opened: OpenLabels, options: MarkOptions) -> int:
    from uuid import uuid4

    from alvision.core.records import Event
    from alvision.core.utc import now
    from alvision.labels.classes import DEFECT, SOUND

    if options.name not in opened.classes.open:
        names = ", ".join(opened.classes.open) or "none yet"
        raise UserError(f"class={options.name} is no class of these labels ({names})")
    note = DEFECT if options.defect else SOUND
    mark = Event("", "mark", options.name, options.by, 0, str(uuid4()), note=note, time=now())
    opened.store.append([mark], hash_of=lambda id: None)
    print(
        f"{options.name} is {'a' if options.defect else 'no'} defect from now on; finished rounds "
        "keep their figures, and a run counts it from the round that it asks next"
    )
    return 0


def _people(opened: OpenLabels, options: LabelsOptions) -> int:
    from alvision.labels.consensus import consensus
    from alvision.labels.dawid_skene import compared, mistaken
    from alvision.labels.voting import agreement

    settled = consensus(opened.store.events(), opened.data.resolve)
    found, crowd = agreement(settled), compared(settled, opened.classes.open)
    if not found and crowd is None:
        print("no image was answered by two people yet: labels.votes=2 asks for that")
    elif not found:
        print("people disagree on every image that two of them answered: settle them on the page")
    for by, person in found.items():
        wrong = {pair: n for pair, n in person.confusion.items() if pair[0] != pair[1]}
        most = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:3]
        mistakes = ", ".join(f"{truth} called {answer} ({n})" for (truth, answer), n in most)
        agreed = f"{by} agreed with the consensus on {person.agreed} of {person.images} images"
        print(f"{agreed}; {mistakes}" if mistakes else agreed)
    for line in mistaken(crowd):
        print(line)
    return 0


def _backup(opened: OpenLabels, options: BackupOptions) -> int:
    from alvision.labels.backup import back_up

    to = options.to or Path(f"labels-{datetime.now():%Y-%m-%d-%H%M%S}")
    print(f"{back_up(opened.store, to, beside=opened.beside)} events kept in {to}")
    return 0


def _audit(opened: OpenLabels, options: AuditOptions) -> int:
    from alvision.cli.labels_audit import audit

    if options.out is None:
        raise UserError(f"out= is missing: the folder of a run ({options.example})")
    audit(opened.data, opened.store, options.out, options.n)
    return 0


def _push(opened: OpenLabels, options: ServerOptions) -> int:
    from alvision.labels.exchange.label_studio_server import push
    from alvision.oracles.sheet import copy_picture

    query = opened.query
    if query is None:
        raise UserError("labels push needs out=, the folder of a run that asks people")

    def copy(id: str, folder: Path, name: str) -> Path | None:
        source = opened.data.manifest.path(id)
        if source is None or not source.is_file():
            return None
        return folder / copy_picture(source, folder, name, opened.data.spec)

    title = options.project or str(opened.config.name)
    new, there = push(
        _studio(options),
        query,
        title=title,
        classes=opened.needs_classes(),
        hashes=opened.data.hashes,
        copy=copy,
    )
    print(f"{new} images sent to the project {title!r}, {there} were there")
    return 0


def _pull(opened: OpenLabels, options: ServerOptions) -> int:
    from alvision.labels.exchange.label_studio_server import pull

    counts = pull(
        _studio(options),
        opened.store,
        title=options.project or str(opened.config.name),
        classes=opened.needs_classes(),
        ids=opened.data.manifest.ids,
        hashes=opened.data.hashes,
    )
    print(f"pulled: {counts}")
    return 0


def _studio(options: ServerOptions) -> Server:
    from alvision.labels.exchange.label_studio_server import Server

    url = options.server or os.environ.get("LABEL_STUDIO_URL", "http://localhost:8080")
    token = os.environ.get("LABEL_STUDIO_API_KEY")
    if not token:
        raise UserError(
            "LABEL_STUDIO_API_KEY is not set: put the access token of your Label Studio account"
            " page into that environment variable"
        )
    return Server(url, token)


def _of_run(out: Path, words: list[str]) -> RunConfig:
    """Return the configuration of the run whose labels are meant."""
    from alvision.run_folder.load import load_run

    if more := [word for word in words if not word.startswith("debug=")]:
        raise UserError(f"out= names a run, which knows its data and classes; leave out {more[0]}")
    config, _, _ = load_run(out)
    return replace(config, out=str(out))


def _beside_data(words: list[str]) -> RunConfig:
    """Return the configuration of the data set whose labels are meant."""
    from alvision.config.plain import plain_configuration

    plain = [word for word in words if not word.startswith("debug=")]
    return plain_configuration(plain, oracle=ORACLE) or _composed(words)


def _composed(words: list[str]) -> RunConfig:
    from alvision.config.compose import configuration

    return configuration([f"oracle={ORACLE}", *words])


class _Action(NamedTuple):
    """What an action reads and what it does."""

    options: type[LabelsOptions]
    run: Callable[[OpenLabels, Any], int]


_ACTIONS = {
    "verify": _Action(LabelsOptions, _verify),
    "history": _Action(HistoryOptions, _history),
    "mark": _Action(MarkOptions, _mark),
    "people": _Action(LabelsOptions, _people),
    "export": _Action(ExportOptions, export_labels),
    "import": _Action(ImportOptions, import_labels),
    "backup": _Action(BackupOptions, _backup),
    "audit": _Action(AuditOptions, _audit),
    "push": _Action(ServerOptions, _push),
    "pull": _Action(ServerOptions, _pull),
}
