"""What each command does, once its words are read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from alvision import loop
from alvision.assembly import experiment
from alvision.cli.compose import Composed, compose
from alvision.cli.overrides import take
from alvision.config import RunConfig
from alvision.data.checks import SECONDS_PER_LABEL
from alvision.data.hashes import content_hashes
from alvision.data.images import ImageSpec
from alvision.data.manifest import Manifest, build
from alvision.errors import UserError
from alvision.rounds import DOCUMENT, read_document

console = Console(highlight=False, soft_wrap=True)


def run(words: list[str]) -> int:
    """Run or resume one experiment and write its report."""
    execute(compose(words))
    return 0


def execute(composed: Composed, *, quiet: bool = False) -> None:
    """Run what was composed; `quiet` leaves reports and TensorBoard to a later `report`."""
    from alvision.reporting import run as run_report

    config = composed.config
    with ExitStack() as stack:
        exp = experiment(
            config,
            acquire=composed.acquire,
            cold_start=composed.cold_start,
            choices=composed.choices,
            command=composed.command,
            stack=stack,
            log_rounds=not quiet,
        )
        if not quiet:
            console.print(
                f"{config.out}: {len(exp.candidates)} images to choose from, "
                f"{len(exp.evaluation_ids)} held out, classes {', '.join(exp.classes)}"
            )
        history = loop.run(exp)
        if quiet:
            return
        for line in summary(history, config.target.metric):
            console.print(line)
        _, manifest, spec = saved(exp.root)
        console.print(f"report: {run_report.write(exp.root, manifest=manifest, spec=spec)}")


def summary(history: list[dict[str, Any]], metric: str) -> list[str]:
    """Say in a line a round what it brought."""
    lines = []
    for row in history:
        value = row.get(metric)
        told = "not known yet (no held-out image is labelled)" if value is None else f"{value:.3f}"
        lines.append(f"round {row['round']:>2}: {row['labels']:>5} labels, {metric} {told}")
    return lines


def check(words: list[str]) -> int:
    """Look over a data set; status 1 if something must be mended first."""
    from alvision.data import checks
    from alvision.reporting import check as check_report

    taken, words = take(words, "to", "seconds")
    config = compose(words).config
    spec = ImageSpec.from_config(config.data.image)
    manifest = build(config.data)
    result = checks.check(
        manifest,
        content_hashes(manifest),
        spec,
        classes=config.classes,
        seconds_per_label=_seconds(taken.get("seconds")),
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


def report(words: list[str]) -> int:
    """Rebuild a run's or a study's report from its files."""
    from alvision.cli.study import tell
    from alvision.reporting import run as run_report
    from alvision.reporting import tensorboard
    from alvision.study.compare import rebuild

    taken, rest = take(words, "out", "debug")
    if "out" not in taken or rest:
        raise UserError("report needs the folder and nothing else: alvision report out=runs/elpv")
    root = Path(taken["out"])
    if (root / DOCUMENT).exists():
        _, manifest, spec = saved(root)
        for folder in sorted((root / "rounds").glob("[0-9][0-9][0-9]")):
            if (folder / "metrics.json").exists():
                tensorboard.log(root, int(folder.name), manifest=manifest, spec=spec)
        console.print(f"report: {run_report.write(root, manifest=manifest, spec=spec)}")
        return 0
    return tell(root, rebuild(root))


def saved(root: Path) -> tuple[RunConfig, Manifest | None, ImageSpec]:
    """Read back a run's configuration, and its images where they still are."""
    stored = read_document(root)["config"]
    merged = OmegaConf.merge(OmegaConf.structured(RunConfig), stored)
    config: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    try:
        manifest = build(config.data)
    except UserError:
        manifest = None
    return config, manifest, ImageSpec.from_config(config.data.image)
