"""Findings: what a check reports, in words, with examples and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from alvision.core.records import SampleId

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class NotApplicable(Exception):
    """A check that this data set gives nothing to look at; the text says why."""


@dataclass(frozen=True)
class Example:
    """Images that show a finding: one, or a pair to be compared."""

    ids: tuple[SampleId, ...]
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Figures behind a finding; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Finding:
    """One thing to know before labelling starts.

    Attributes:
        severity: `error` (results would be wrong), `warning` (look at it) or `note`.
        title: What it is, in a short sentence.
        detail: The evidence.
        advice: What to do about it; empty where nothing needs to be done.
        examples: Images that show it, the worst first.
        table: Figures.
    """

    severity: Severity
    title: str
    detail: str = ""
    advice: str = ""
    examples: tuple[Example, ...] = ()
    table: Table | None = None

    @property
    def ids(self) -> tuple[SampleId, ...]:
        """Return the example images."""
        return tuple(id for example in self.examples for id in example.ids)


@dataclass(frozen=True)
class CheckResult:
    """Everything that was found in a data set.

    Attributes:
        images: Images in the manifest.
        readable: Those that can be read.
        findings: Errors first, then warnings, then notes.
        passed: The checks that found nothing, in words.
        skipped: The checks that could not be made, and why.
        unreadable: Every unreadable image with its reason.
        hours: What labelling every distinct readable image would take.
        seconds_per_label: The time for one answer that `hours` assumes.
    """

    images: int
    readable: int
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    skipped: tuple[str, ...]
    hours: float
    seconds_per_label: float
    unreadable: dict[SampleId, str] = field(default_factory=dict)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def verdict(self) -> str:
        """Say in one line how it looks."""
        errors, warnings = len(self.of("error")), len(self.of("warning"))
        if errors:
            return f"{amount(errors, 'error')} to repair before labelling starts"
        if warnings:
            return f"{amount(warnings, 'warning')} to look at before labelling starts"
        return "nothing prevents labelling"


def amount(number: int, thing: str) -> str:
    """Write a number of things.

    >>> amount(1, "image"), amount(2000, "image"), amount(2, "copy")
    ('1 image', '2,000 images', '2 copies')
    """
    if number == 1:
        return f"1 {thing}"
    if thing.endswith("y"):
        return f"{number:,} {thing[:-1]}ies"
    return f"{number:,} {thing}{'es' if thing.endswith('s') else 's'}"


def percent(share: float) -> str:
    """Write a share; only a whole is called 100 %, only nothing 0 %.

    >>> percent(0.6995), percent(0.9999), percent(0.0001), percent(1.0)
    ('70 %', '>99 %', '<1 %', '100 %')
    """
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def listing(names: Sequence[str], most: int = 5) -> str:
    """Write names in a line, the first few of them.

    >>> listing(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def duration(hours: float) -> str:
    """Write a time in the unit that fits.

    >>> duration(0.25), duration(2.19), duration(0)
    ('15 minutes', '2.2 hours', '0 minutes')
    """
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"
