"""The report of a check: one HTML file with pictures, and a table for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from alvision.data.checks import CheckResult, Example, Finding, duration
from alvision.reporting import html

if TYPE_CHECKING:
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest

PICTURES = 240
"""Most pictures of the page: some 1 MB."""
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def write(result: CheckResult, manifest: Manifest, spec: ImageSpec, path: Path) -> None:
    """Write a check's findings as one self-contained HTML file, with example pictures.

    Args:
        result: What `data.checks.check` found.
        manifest: Where the pictures are.
        spec: The evaluation transform, so that pictures look as the network sees them.
        path: The file; its folder is made if it is missing.
    """
    thumbnails = None
    if manifest.features is None:
        thumbnails = html.Thumbnails(manifest, spec, budget=PICTURES)
    tiles = [
        ("images", f"{result.images:,}", _left_out(result)),
        ("errors", f"{len(result.of('error')):,}", "to repair first"),
        ("warnings", f"{len(result.of('warning')):,}", "to look at"),
        ("work", duration(result.hours), f"at {result.seconds_per_label:g} s an answer"),
    ]
    text = html.render(
        "check.html",
        root=str(manifest.root),
        verdict=result.verdict,
        tiles=tiles,
        findings=[_shown(finding, thumbnails) for finding in result.findings],
        passed=result.passed,
        skipped=result.skipped,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    html.save(path, text)


def table(result: CheckResult) -> Table:
    """Return the findings as a table for the terminal, the gravest first."""
    shown = Table(box=box.SIMPLE_HEAD, title=Text(result.verdict), title_justify="left")
    shown.add_column("")
    shown.add_column("finding", overflow="fold", ratio=2)
    shown.add_column("what it means", overflow="fold", ratio=3)
    for finding in result.findings:
        words = " ".join(part for part in (finding.detail, finding.advice) if part)
        shown.add_row(
            Text(finding.severity, style=STYLES[finding.severity]),
            Text(finding.title),
            Text(words),
        )
    for words in result.passed:
        shown.add_row(Text("ok", style="green"), Text(words), "")
    for words in result.skipped:
        shown.add_row(Text("–", style="dim"), Text(words, style="dim"), "")
    return shown


def figures(finding: Finding) -> Table:
    """Return the figures behind a finding as a table for the terminal."""
    shown = Table(box=box.SIMPLE_HEAD)
    if finding.table is not None:
        for column in finding.table.columns:
            shown.add_column(column)
        for row in finding.table.rows:
            shown.add_row(*map(Text, row))
    return shown


def _left_out(result: CheckResult) -> str:
    missing = result.images - result.readable
    return f"{missing:,} cannot be read" if missing else "all can be read"


def _shown(finding: Finding, thumbnails: html.Thumbnails | None) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "title": finding.title,
        "detail": finding.detail,
        "advice": finding.advice,
        "table": finding.table,
        "examples": [_pictures(example, thumbnails) for example in finding.examples]
        if thumbnails
        else [],
    }


def _pictures(example: Example, thumbnails: html.Thumbnails) -> dict[str, Any]:
    return {
        "caption": example.caption,
        "pictures": [{"id": id, "address": thumbnails.address(id)} for id in example.ids],
    }
