"""`next`: the images that a run asks for, as files for the tool that people label in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.open_labels import OpenLabels
from alvision.cli.options import Options, option
from alvision.config.limits import choice
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.core.records import QueryRow

USAGE = """\
alvision next out=runs/photos/uncertainty_herding/seed-0 to=batch format=cvat
alvision labels import out=runs/photos/uncertainty_herding/seed-0 from=annotations.xml by=anna

Writes the images that a run waits for as a batch for CVAT, Label Studio, FiftyOne,
class folders or a spreadsheet. Import brings the answers back, and the same `run`
(oracle=files) or the page goes on. Pictures are copied under names that do not
reveal a class. The folder may be deleted afterwards."""


@dataclass(frozen=True, kw_only=True)
class NextOptions(Options):
    """The words of `next`."""

    command = "next"
    example = "alvision next out=runs/photos/uncertainty_herding/seed-0 to=batch format=cvat"

    out: Path = option("The folder of a run that people answer.")
    to: Path = option("A new folder; for csv a new file.")
    format: str = option(
        "cvat, label_studio, fiftyone, folders (sort the pictures into them) or csv.",
        limits=choice("cvat", "label_studio", "fiftyone", "folders", "csv"),
    )


OPTIONS = (NextOptions,)


def next(words: list[str]) -> int:
    """Write the batch that a run waits for."""
    options = NextOptions.parse(words)

    from alvision.dataset.dataset import open_label_store
    from alvision.dataset.people import with_choices
    from alvision.labels.exchange.foreign_files import write_batch
    from alvision.oracles.sheet import copy_picture
    from alvision.run_folder.load import load_run_config_in_place

    config = load_run_config_in_place(options.out)
    if not config.answered_by_people:
        raise UserError(
            f"{options.out} is a simulated run, which asks nobody: start one with oracle=files"
        )
    with open_label_store(config) as store:
        opened = OpenLabels(store, with_choices(config, store))
        rows = _waiting(opened)
        data = opened.data

        def copy(id: str, folder: Path, name: str) -> Path | None:
            source = data.manifest.path(id)
            if source is None or not source.is_file():
                return None
            return folder / copy_picture(source, folder, name, data.spec)

        write_batch(
            rows,
            options.to,
            options.format,
            round=opened.query.round if opened.query else 0,
            classes=opened.needs_classes(),
            hashes=data.hashes,
            copy=copy,
            size_of=opened.size_of,
        )
    print(f"{len(rows)} images to label are in {options.to}")
    print(f"afterwards: alvision labels import out={options.out} from=... by=NAME")
    return 0


def _waiting(opened: OpenLabels) -> list[QueryRow]:
    """Return the rows of the last round that lack answers, in an order that tells nothing.

    Raises:
        UserError: There is none.
    """
    from alvision.labels.consensus import standing

    query = opened.query
    if query is None:
        raise UserError(f"{opened.config.out} has not asked for an image yet: run it first")
    said = standing(opened.store.events(), opened.data.resolve)
    votes = {id: sum(event.kind != "import" for event in events) for id, events in said.items()}
    rows = [row for row in query.rows if votes.get(row.id, 0) < opened.config.labels.votes]
    if not rows:
        raise UserError(
            f"every image that round {query.round} asks for is answered: run the same `alvision "
            "run` again, which asks for the next ones"
        )
    # Ranks and held-out images must not show.
    return sorted(rows, key=lambda row: hashlib.sha256(f"{query.round}{row.id}".encode()).digest())
