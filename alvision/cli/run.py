"""What each command does, once its words are read."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from rich.console import Console

from alvision.cli.console import bar
from alvision.config.compose import Composed, compose
from alvision.config.overrides import take
from alvision.config.schema import RunConfig
from alvision.core.errors import UserError
from alvision.core.records import SECONDS_PER_LABEL
from alvision.core.rounds import DOCUMENT, Round, read_document
from alvision.data.hashes import content_hashes
from alvision.data.images import ImageSpec, UnreadableImage, shrink_factor
from alvision.data.manifest import Manifest, build
from alvision.loop import run as loop_run
from alvision.loop.build import experiment

if TYPE_CHECKING:
    from alvision.reporting.loggers.lightning import RunLogger

console = Console(highlight=False, soft_wrap=True)


def run(words: list[str]) -> int:
    """Run or resume one experiment and write its report."""
    execute(compose(words))
    return 0


def execute(composed: Composed, *, quiet: bool = False, wait: bool = False) -> None:
    """Run what was composed.

    Args:
        composed: The configuration and its strategies.
        quiet: Leave reports and TensorBoard to a later `report`.
        wait: With a page: wait for its people instead of ending.
    """
    from alvision.reporting.run import page as run_report

    config = composed.config
    with ExitStack() as stack:
        exp = experiment(
            config,
            acquire=composed.acquire,
            cold_start=composed.cold_start,
            choices=composed.choices,
            command=composed.command,
            stack=stack,
            quiet=quiet,
            wait=wait,
        )
        logger = _logger(composed, exp, stack)
        if quiet:
            loop_run.run(replace(exp, publish=lambda rnd: _published(exp, rnd, logger)))
            return
        console.print(
            f"{config.out}: {len(exp.candidates)} images to choose from, "
            f"{len(exp.evaluation_ids)} held out, classes {', '.join(exp.classes)}",
            markup=False,
        )
        # With several devices each rank is a process of its own.
        if config.trainer.devices == 1 and (expected := _expected_peak(exp, config)):
            console.print(f"memory: at most {expected / 1e9:.2f} GB")
        _, manifest, spec = saved(exp.root)
        if manifest and (warning := shrinks(manifest, spec)):
            console.print(warning)
        for row in exp.history()[:-1]:  # the last one is published again
            console.print(line(row, config.target.metric))

        def publish(rnd: Round) -> None:
            _published(exp, rnd, logger)
            console.print(line(rnd.read("metrics.json"), config.target.metric))

        loop_run.run(replace(exp, publish=publish))
        page = run_report.write(exp.root, manifest=manifest, spec=spec)
        console.print(f"report: {page}", markup=False)


def _logger(composed: Composed, exp: loop_run.Experiment, stack: ExitStack) -> RunLogger | None:
    if composed.logger is None:
        return None
    from alvision.reporting.loggers.lightning import RunLogger

    config, name = composed.config, str(composed.choices["logger"])
    chosen = {key: composed.choices[key] for key in ("acquisition", "cold_start")}
    settings = {**asdict(config), **chosen}
    return stack.enter_context(
        RunLogger(composed.logger, name, exp.root, study=str(config.name), settings=settings)
    )


def _published(exp: loop_run.Experiment, rnd: Round, logger: RunLogger | None) -> None:
    # What is published last tells a study that the run is finished.
    if logger and (trouble := logger.log(exp.history())):
        console.print(f"{exp.root}: {trouble}; the run goes on", markup=False)
    exp.publish(rnd)


def _expected_peak(exp: loop_run.Experiment, config: RunConfig) -> int | None:
    from alvision.inference.features import PIXELS
    from alvision.inference.memory import BETWEEN_FITS, expected_peak

    learner, budget, count = exp.learner, config.budget, len(exp.candidates)
    kept = 0
    if config.model.training == "finetune":
        whole = budget.initial == "all"
        labels = count if whole else int(budget.initial) + budget.rounds * budget.batch
        pixels = min(PIXELS, 3 * config.data.image.size**2 * min(labels, count))
        kept = pixels + BETWEEN_FITS
    return expected_peak(
        learner.warm_up,
        exp.acquisition.needs | exp.cold_start.needs,
        images=count,
        width=learner.features.width,
        passes=learner.passes,
        classes=len(exp.classes),
        mapped=config.trainer.memory_map,
        kept=kept,
    )


def line(row: dict[str, Any], metric: str) -> str:
    """Say in a line what a round brought.

    >>> line({"round": 3, "labels": 80, "macro_f1": 0.7512}, "macro_f1")
    'round  3:    80 labels, macro_f1 0.751'
    """
    value = row.get(metric)
    told = "not known yet (no held-out image is labelled)" if value is None else f"{value:.3f}"
    note = f"; {row['cold_start']}" if "cold_start" in row else ""
    return f"round {row['round']:>2}: {row['labels']:>5} labels, {metric} {told}{note}"


def shrinks(manifest: Manifest, spec: ImageSpec) -> str | None:
    """Warn if the network sees photographs at less than an eighth of their size; looks at 20."""
    if manifest.features is not None:
        return None
    most = 1.0
    for path in manifest.paths[:: max(1, len(manifest) // 20)]:
        with suppress(UnreadableImage):
            most = max(most, shrink_factor(path, spec))
    if most <= 8:
        return None
    return (
        f"warning: photographs are shrunk {most:.0f} x to {spec.size} pixels, so a small defect "
        "may vanish; set data.image.crop to the part, or a larger data.image.size"
    )


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


def report(words: list[str]) -> int:
    """Rebuild a run's or a study's report from its files, or write a bundle's."""
    from alvision.cli.compare import explained, tell
    from alvision.reporting.loggers import tensorboard
    from alvision.reporting.run import page as run_report
    from alvision.study.compare import rebuild

    if any(word.startswith("bundle=") for word in words):
        from alvision.cli.report_bundle import shop_report

        return shop_report(words)
    taken, rest = take(words, "out", "debug")
    if "out" not in taken or rest:
        raise UserError(
            "report needs the folder and nothing else: alvision report out=runs/elpv (a run or a "
            "study), alvision report bundle=brakes.bundle (the shop report)"
        )
    root = Path(taken["out"])
    if (root / DOCUMENT).exists():
        _, manifest, spec = saved(root)
        for folder in sorted((root / "rounds").glob("[0-9][0-9][0-9]")):
            if (folder / "metrics.json").exists():
                tensorboard.log(root, int(folder.name), manifest=manifest, spec=spec)
        console.print(f"report: {run_report.write(root, manifest=manifest, spec=spec)}")
        return 0
    with explained(root):
        comparison = rebuild(root)
    return tell(root, comparison)


def saved(root: Path) -> tuple[RunConfig, Manifest | None, ImageSpec]:
    """Read back a run's configuration, and its images where they still are."""
    stored = read_document(root)
    merged = OmegaConf.merge(OmegaConf.structured(RunConfig), stored["config"])
    config: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    config.classes, config.defects = stored["classes"], stored["defects"]
    try:
        manifest = build(config.data)
    except UserError:
        manifest = None
    return config, manifest, ImageSpec.from_config(config.data.image)
