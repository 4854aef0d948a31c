"""The status of a watched line as plain data, read from its records, its bundle and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.core.shell import command
from alvision.deploy.bundle.line_record import how_tested
from alvision.deploy.bundle.statistics import LIGHT
from alvision.watch import queue
from alvision.watch.audit import Audit, audited

if TYPE_CHECKING:
    from alvision.data.image_spec import ImageSpec
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.statistics import ReferenceStatistics
    from alvision.watch.line import Line
    from alvision.watch.records import DriftRecord, Row

NEWEST = 1000
"""Newest images that the status holds: as many as the widest window of the drift test."""
BROKEN = 10
"""Latest broken files that it holds."""


@dataclass(frozen=True)
class Status:
    """The status of a line.

    Attributes:
        name: Name of the bundle.
        to: The line's folder.
        counts: Images in each folder, of all time.
        audit: What the answers to the audit prove.
        share: Share of the passing images that is drawn for the audit.
        promise: What the threshold promises, if there is one.
        tested: Whether the model was tested against the one before it, in a sentence.
        spec: How a file becomes a picture.
        statistics: The name of each statistic.
        reference: Statistics of the bundle's held-out images.
        tells_novelty: Whether there are enough of them to call an image new.
        newest: The newest images of the model in force, the latest first.
        drift_tests: Its latest tests for drift, the latest first.
        broken: The latest broken files.
        waiting: Images in the queue without a label.
        label: The command that opens the queue.
        bring: The command that imports the newest table of the queue; None where there is none.
        at: When the status was read.
    """

    name: str
    to: Path
    counts: Mapping[str, int]
    audit: Audit
    share: float
    promise: str | None
    tested: str
    spec: ImageSpec
    statistics: Sequence[str]
    reference: ReferenceStatistics
    tells_novelty: bool
    newest: Sequence[Row]
    drift_tests: Sequence[DriftRecord]
    broken: Sequence[Row]
    waiting: int
    label: str
    bring: str | None
    at: datetime

    @property
    def alarmed(self) -> list[str]:
        """Return the statistics that changed by the latest test.

        What a person can see comes first, and directions of the features come last.
        """
        found = self.drift_tests[0].alarmed if self.drift_tests else []
        return sorted(found, key=lambda name: (name not in LIGHT, name.startswith("features")))


def read_status(line: Line, *, at: datetime) -> Status:
    """Read the status of a line.

    Args:
        line: The line.
        at: The time now.
    """
    setting, records, judge = line.setting, line.records, line.judge
    bundle = judge.bundle
    return Status(
        name=bundle.manifest.name,
        to=setting.to,
        counts=records.folders("state != 'gone'"),
        audit=audited(
            records,
            setting.to,
            judge.model,
            good=[name for name in bundle.classes if name not in bundle.defects],
            labels=setting.labels,
            today=at.date(),
        ),
        share=setting.audit,
        promise=bundle.promise,
        tested=how_tested(bundle),
        spec=bundle.spec,
        statistics=judge.statistics,
        reference=judge.reference,
        tells_novelty=bundle.tells_novelty,
        newest=records.measured(judge.model, limit=NEWEST),
        drift_tests=records.drift_tests(judge.model, limit=NEWEST),
        broken=records.broken(judge.model, limit=BROKEN),
        waiting=queue.waiting(records, setting.to, setting.labels),
        label=label_command(bundle, setting.to / queue.FOLDER),
        bring=import_command(bundle, setting.to),
        at=at,
    )


def label_command(bundle: Bundle, folder: Path) -> str:
    """Return the command that opens a folder for labelling with a bundle's classes."""
    classes, defects = ",".join(bundle.classes), ",".join(bundle.defects)
    words = (f"data.root={folder}", f"classes=[{classes}]", f"defects=[{defects}]")
    return command("alvision", "label", *words)


def import_command(bundle: Bundle, to: Path) -> str | None:
    """Return the command that imports the labels of a line's newest table, if it has one."""
    tables = sorted(to.glob("queue-*.csv"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not tables:
        return None
    words = (f"data.root={to / queue.FOLDER}", f"from={tables[-1]}")
    return command("alvision", "labels", "import", *words, f"classes=[{','.join(bundle.classes)}]")
