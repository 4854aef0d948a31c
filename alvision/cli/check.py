"""`check`: look over a data set before anyone spends a label on it."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.console import bar, console
from alvision.config.compose import compose
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.core.records import SECONDS_PER_LABEL
from alvision.data.hashes import content_hashes
from alvision.data.images import ImageSpec
from alvision.data.manifest import build


def check(words: list[str]) -> int:
    """Look over a data set; status 1 if something must be mended first."""
    from alvision.data import checks
    from alvision.reporting import check as check_report

    taken, words = take(words, "to", "seconds")
    config = compose(words).config
    spec = ImageSpec.from_config(config.data.image)
    manifest = build(config.data)
    with bar("reading files") as progress:
        hashes = content_hashes(manifest, progress)
    with bar("looking at images") as progress:
        result = checks.check(
            manifest,
            hashes,
            spec,
            classes=config.classes,
            seconds_per_label=_seconds(taken.get("seconds")),
            progress=progress,
            seed=config.seed,
        )
    console.print(check_report.table(result))
    page = Path(taken.get("to") or Path("runs") / str(config.name) / "check.html")
    check_report.write(result, manifest, spec, page)
    console.print(f"report: {page}")
    return int(any(finding.severity == "error" for finding in result.findings))


def _seconds(text: str | None) -> float:
    try:
        seconds = SECONDS_PER_LABEL if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise UserError(f"seconds={text} must be the seconds that one answer takes, e.g. 4")
    return seconds
