"""`labels`: the labels that were given, out and in, checked, told, kept twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from alvision.cli.console import console
from alvision.config.compose import compose
from alvision.config.overrides import take, take_count, tidy
from alvision.config.schema import RunConfig
from alvision.core.errors import UserError
from alvision.data.manifest import Manifest
from alvision.dataset.dataset import DataSet, open_label_store
from alvision.labels.classes import ClassList, class_list
from alvision.labels.consensus import consensus
from alvision.labels.exchange.label_studio_server import Server, pull, push
from alvision.labels.store import LabelStore
from alvision.run_folder.load import load_run

_WORDS = ("to", "from", "by", "form", "id", "server", "project", "slot")


def labels(words: list[str]) -> int:
    """Do what the action says with the labels of a data set or a run."""
    action, words = (words[0], words[1:]) if words else ("", [])
    if action not in _ACTIONS:
        actions = "|".join(_ACTIONS)
        raise UserError(f"labels needs an action: alvision labels {actions} key=value ...")
    taken, words = take(words, *_WORDS)
    count, words = take_count(words, "n", 0) if action == "history" else (0, words)
    config = _config(words)
    with open_label_store(config) as store:
        return _ACTIONS[action](Desk(store, config, taken, count))


@dataclass(frozen=True)
class Desk:
    """What an action works on: a store, the data it is about, and the words of the command."""

    store: LabelStore
    config: RunConfig
    words: dict[str, str]
    count: int

    @cached_property
    def data(self) -> DataSet:
        """Return the data set of today; some actions do without its images."""
        return DataSet.open(self.config)

    @property
    def manifest(self) -> Manifest:
        """Return its images."""
        return self.data.manifest

    @property
    def hashes(self) -> Mapping[str, str]:
        """Return their sha256."""
        return self.data.hashes

    @cached_property
    def classes(self) -> ClassList:
        """Return the classes: the configured ones or those of the labels, and what was added."""
        events = self.store.events()
        named = sorted({event.label for event in events if event.kind == "label" and event.label})
        return class_list(self.config.classes or named, events)

    def needs_classes(self) -> Sequence[str]:
        """Return the class names, which must have been said.

        Raises:
            UserError: They were not.
        """
        if self.config.classes is None:
            raise UserError(
                'classes= is missing: the names that labels may have, "classes=[ok,worn]"'
            )
        return self.classes.open

    def say(self, text: str) -> None:
        """Print a line as it is."""
        console.print(text, markup=False)


def _export(desk: Desk) -> int:
    from alvision.labels.exchange.csv_file import export_labels, export_votes
    from alvision.labels.exchange.folders import export_folders

    form, to = desk.words.get("form", "log"), Path(desk.words.get("to") or "labels.csv")
    if form == "log":
        desk.say(f"{export_labels(desk.store, to)} events written to {to}")
    elif form == "votes":
        desk.say(f"{export_votes(desk.store, to, desk.data.resolve)} votes written to {to}")
    elif form == "folders":
        if "to" not in desk.words:
            raise UserError("form=folders needs to=FOLDER, where the class folders go")
        settled = consensus(desk.store.events(), desk.data.resolve)
        count = export_folders(settled, to, desk.manifest.path)
        desk.say(f"{count} images copied into class folders in {to}")
    else:
        raise UserError(f"form={form} is unknown; one of: log, votes, folders")
    return 0


def _import(desk: Desk) -> int:
    from alvision.deploy.threshold.import_sealed import import_sealed
    from alvision.labels.backup import is_backup, rebuild
    from alvision.labels.exchange.csv_file import images_named, import_labels
    from alvision.labels.exchange.folders import import_folders

    if "from" not in desk.words:
        raise UserError(
            "labels import needs from=FILE, a table with the columns id and label,"
            " or from=FOLDER, class folders or a backup"
        )
    source = Path(desk.words["from"])
    if is_backup(source):
        desk.say(f"rebuilt: {rebuild(desk.store, source)} events")
        return 0
    bring = import_folders if source.is_dir() else import_labels
    classes = desk.needs_classes()
    if desk.words.get("slot", "seal") != "seal":
        raise UserError(f"slot={desk.words['slot']} is unknown: slot=seal, or leave it out")
    if "slot" in desk.words:
        if source.is_dir():
            raise UserError("slot=seal needs from=FILE, a table that names the drawer's images")
        named = images_named(source, desk.manifest.ids)
        import_sealed(desk.data, named)
    counts = bring(
        desk.store,
        source,
        classes=classes,
        ids=desk.manifest.ids,
        hashes=desk.hashes,
        by=desk.words.get("by", "import"),
    )
    desk.say(f"imported: {counts}")
    return 0


def _verify(desk: Desk) -> int:
    from alvision.labels.verify import verify

    problems = verify(
        desk.store, ids=desk.manifest.ids, hashes=desk.hashes, classes=desk.classes.keys
    )
    for problem in problems:
        desk.say(f"- {problem}")
    desk.say(f"{desk.store.last()} events, {len(problems)} problems")
    return int(bool(problems))


def _history(desk: Desk) -> int:
    from alvision.labels.history import history

    events = desk.store.events()
    lines = zip(events, history(events, desk.classes), strict=True)
    wanted = desk.words.get("id")
    told = [line for event, line in lines if wanted is None or event.id == wanted]
    for line in told[-desk.count :]:
        desk.say(line)
    return 0


def _people(desk: Desk) -> int:
    from alvision.labels.voting import agreement

    found = agreement(consensus(desk.store.events(), desk.data.resolve))
    if not found:
        desk.say("no image was answered by two people yet: labels.votes=2 asks for that")
    for by, person in found.items():
        wrong = {pair: n for pair, n in person.confusion.items() if pair[0] != pair[1]}
        most = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:3]
        taken = ", ".join(f"{truth} for {said} ({n})" for (truth, said), n in most)
        told = f"{by}: {person.agreed} of {person.images} as the consensus"
        desk.say(f"{told}; takes {taken}" if taken else told)
    return 0


def _backup(desk: Desk) -> int:
    from alvision.labels.backup import back_up

    to = Path(desk.words.get("to") or f"labels-{datetime.now():%Y-%m-%d-%H%M%S}")
    beside = [desk.data.audit_file] if desk.config.answered_by_people else []
    desk.say(f"{back_up(desk.store, to, beside=beside)} events kept in {to}")
    return 0


def _push(desk: Desk) -> int:
    from alvision.oracles.sheet import copy_picture
    from alvision.run_folder.round_files import QueryFile

    asked = sorted(Path(str(desk.config.out)).glob("rounds/[0-9][0-9][0-9]/query.csv"))
    if not asked:
        raise UserError("labels push needs out=, the folder of a run that asks people")

    def copy(id: str, folder: Path, name: str) -> Path | None:
        source = desk.manifest.path(id)
        if source is None or not source.is_file():
            return None
        return folder / copy_picture(source, folder, name)

    title = _title(desk)
    new, there = push(
        _studio(desk),
        QueryFile().read(asked[-1]),
        title=title,
        classes=desk.needs_classes(),
        hashes=desk.hashes,
        copy=copy,
    )
    desk.say(f"{new} images sent to the project {title!r}, {there} were there")
    return 0


def _pull(desk: Desk) -> int:
    counts = pull(
        _studio(desk),
        desk.store,
        title=_title(desk),
        classes=desk.needs_classes(),
        ids=desk.manifest.ids,
        hashes=desk.hashes,
    )
    desk.say(f"pulled: {counts}")
    return 0


def _studio(desk: Desk) -> Server:
    url = desk.words.get("server") or os.environ.get("LABEL_STUDIO_URL", "http://localhost:8080")
    token = os.environ.get("LABEL_STUDIO_API_KEY")
    if not token:
        raise UserError(
            "LABEL_STUDIO_API_KEY is not set: put the access token of your Label Studio account"
            " page into that environment variable"
        )
    return Server(url, token)


def _title(desk: Desk) -> str:
    return desk.words.get("project") or str(desk.config.name)


def _config(words: list[str]) -> RunConfig:
    """Find whose labels are meant: a run's own by out=, else those beside the data."""
    out = take([tidy(word) for word in words], "out")[0].get("out", "").strip("'")
    if not out:
        return compose(["oracle=files", *words]).config
    config, _, _ = load_run(Path(out))
    return replace(config, out=out)


_ACTIONS: dict[str, Callable[[Desk], int]] = {
    "verify": _verify,
    "history": _history,
    "people": _people,
    "export": _export,
    "import": _import,
    "backup": _backup,
    "push": _push,
    "pull": _pull,
}
