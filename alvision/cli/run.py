"""`run`: one experiment, begun or resumed."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from alvision.cli.console import console
from alvision.config.compose import Composed, compose
from alvision.config.schema import RunConfig
from alvision.core.rounds import Round
from alvision.data.images import ImageSpec, UnreadableImage, shrink_factor
from alvision.data.manifest import Manifest
from alvision.data.splits import Split
from alvision.dataset.dataset import people
from alvision.loop.build import experiment
from alvision.loop.experiment import Experiment
from alvision.loop.run import history
from alvision.loop.run import run as run_loop
from alvision.run_folder.load import saved

if TYPE_CHECKING:
    from alvision.reporting.loggers.lightning import RunLogger


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
            found=None if quiet else partial(_say_found, config),
        )
        logger = _logger(composed, exp, stack)
        if quiet:
            run_loop(replace(exp, publish=lambda rnd: _published(exp, rnd, logger)))
            return
        # With several devices each rank is a process of its own.
        if config.trainer.devices == 1 and (expected := _expected_peak(exp, config)):
            console.print(f"memory: at most {expected / 1e9:.2f} GB")
        _, manifest, spec = saved(exp.root)
        if manifest and (warning := shrinks(manifest, spec)):
            console.print(warning)
        for row in history(exp)[:-1]:  # the last one is published again
            console.print(line(row, config.target.metric))

        def publish(rnd: Round) -> None:
            _published(exp, rnd, logger)
            console.print(line(rnd.read("metrics.json"), config.target.metric))

        run_loop(replace(exp, publish=publish))
        from alvision.reporting.run import page as run_report

        page = run_report.write(exp.root, manifest=manifest, spec=spec)
        console.print(f"report: {page}", markup=False)


def _say_found(config: RunConfig, split: Split) -> None:
    """Print the first line of a run: what there is to work with."""
    held_out = split.monitor if people(config) else split.held_out
    console.print(
        f"{config.out}: {len(split.pool)} images to choose from, {len(held_out)} held out, "
        f"classes {', '.join(config.classes or ())}",
        markup=False,
    )


def _logger(composed: Composed, exp: Experiment, stack: ExitStack) -> RunLogger | None:
    if composed.logger is None:
        return None
    from alvision.reporting.loggers.lightning import RunLogger

    config, name = composed.config, str(composed.choices["logger"])
    chosen = {key: composed.choices[key] for key in ("acquisition", "cold_start")}
    settings = {**asdict(config), **chosen}
    return stack.enter_context(
        RunLogger(composed.logger, name, exp.root, study=str(config.name), settings=settings)
    )


def _published(exp: Experiment, rnd: Round, logger: RunLogger | None) -> None:
    # What is published last tells a study that the run is finished.
    if logger and (trouble := logger.log(history(exp))):
        console.print(f"{exp.root}: {trouble}; the run goes on", markup=False)
    exp.publish(rnd)


def _expected_peak(exp: Experiment, config: RunConfig) -> int | None:
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
