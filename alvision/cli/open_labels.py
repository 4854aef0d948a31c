"""The labels of a data set or a run, opened for an action of `labels`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.options import Options, option
from alvision.core.errors import UserError
from alvision.core.records import NOT_CLASSES

if TYPE_CHECKING:
    from alvision.config.schema import RunConfig
    from alvision.core.records import Query
    from alvision.data.storage.stored_path import ImagePath
    from alvision.dataset.dataset import DataSet
    from alvision.labels.classes import ClassList
    from alvision.labels.store import LabelStore


@dataclass(frozen=True, kw_only=True)
class LabelsOptions(Options):
    """The words of every action; those that are left name the data set, as for `run`."""

    command = "labels"
    example = "alvision labels verify data.root=photos"

    out: Path | None = option(
        "A run, whose labels are meant.", default=None, shown="the labels beside data.root"
    )


@dataclass(frozen=True)
class OpenLabels:
    """A label store, and the data set that it is about; some actions do without its images."""

    store: LabelStore
    config: RunConfig

    @cached_property
    def data(self) -> DataSet:
        """Return the data set with the images of today."""
        from alvision.dataset.dataset import DataSet

        return DataSet.open(self.config)

    @cached_property
    def classes(self) -> ClassList:
        """Return the classes: the configured ones or those of the labels, and what was added."""
        from alvision.labels.classes import class_list

        events = self.store.events()
        kinds = ("label", "import", "settle")
        given = {event.label for event in events if event.kind in kinds and event.label}
        named = sorted(given - set(NOT_CLASSES))
        return class_list(self.config.classes or named, events)

    @cached_property
    def query(self) -> Query | None:
        """Return what the run's last round asks, under the ids of today; None before the first."""
        from alvision.labels.content import located
        from alvision.run_folder.round_files import last_query

        asked = last_query(Path(str(self.config.out)))
        return None if asked is None else located(asked, self.data.locate)

    @property
    def beside(self) -> list[Path]:
        """Return the files of people's labels: the parts, the uses of seal and monitor."""
        if not self.config.answered_by_people:
            return []
        parts = self.data.audit_file
        return [
            parts,
            *(parts.with_name(f"{log}.jsonl") for log in ("seal_readings", "promotions")),
        ]

    def size_of(self, path: ImagePath) -> tuple[int, int]:
        """Return width and height of an upright picture, from the file's header.

        Raises:
            UserError: It cannot be read.
        """
        from alvision.data.images import UnreadableImage
        from alvision.data.pictures import upright_size

        try:
            return upright_size(path, self.data.spec)
        except UnreadableImage as error:
            raise UserError(f"{path} cannot be read: {error.reason}") from error

    def needs_classes(self) -> Sequence[str]:
        """Return the class names, which must be configured, or known from earlier labels.

        Raises:
            UserError: They are neither.
        """
        if len(self.classes.open) < 2:
            raise UserError(
                'classes= is missing: the names that labels may have, "classes=[ok,worn]"'
            )
        return self.classes.open
