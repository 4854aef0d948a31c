"""`run`: one experiment, begun or resumed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from alvision.cli.console import console, warn
from alvision.cli.options import Options
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.config.compose import ComposedRun
    from alvision.config.schema import RunConfig
    from alvision.core.rounds import Round
    from alvision.data.images import ImageSpec
    from alvision.data.manifest import Manifest
    from alvision.dataset.dataset import DataSet
    from alvision.loop.experiment import Experiment
    from alvision.reporting.loggers.lightning import RunLogger

USAGE = """\
alvision run data.root=parts/ model=resnet18 acquisition=bald trainer=gpu
alvision run experiment=elpv seed=3
alvision run -m experiment=elpv acquisition=margin,bald seed=0,1,2
alvision run data.root=photos oracle=files "classes=[ok,worn]" "defects=[worn]"
alvision run experiment=elpv --cfg job

Class folders (parts/ok, parts/worn) or a label column answer in place of people.
oracle=files asks people: it writes a table to fill in and waits. The same command
resumes. -m runs every combination of several values, and hydra/launcher=joblib
(submitit_local, submitit_slurm, ray) runs them at once. --cfg job prints the
configuration and runs nothing. Your own acquisition function needs one file:
./configs/acquisition/mine.yaml, `_target_: my_scores.f`.
Quote brackets, because shells change them."""

OPTIONS: tuple[type[Options], ...] = ()


def run(words: list[str]) -> int:
    """Run or resume one experiment and write its report; `--cfg job` prints its configuration."""
    from alvision.config.compose import as_yaml, compose
    from alvision.dataset.people import with_people_choices

    shown, words = _take_cfg(words)
    if shown is not None:
        print(as_yaml(words, **shown), end="")
        return 0
    composed = compose(words)
    run_and_report(replace(composed, config=with_people_choices(composed.config)))
    return 0


def _take_cfg(words: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """Take Hydra's own options for printing a configuration off: --cfg job, --package, --resolve.

    >>> _take_cfg(["--cfg", "job", "seed=1", "-p", "model"])
    ({'package': 'model', 'resolve': False}, ['seed=1'])
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--cfg", "-c")
    parser.add_argument("--package", "-p")
    parser.add_argument("--resolve", action="store_true")
    try:
        found, rest = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UserError(f"{error}; to see the configuration: alvision run --cfg job ...") from None
    if found.cfg is None:
        if found.package or found.resolve:
            raise UserError("--package and --resolve go with --cfg job")
        return None, rest
    if found.cfg != "job":
        raise UserError(f"--cfg {found.cfg}: alvision shows the configuration of a run, --cfg job")
    return {"package": found.package, "resolve": found.resolve}, rest


def run_in_study(composed: ComposedRun) -> None:
    """Run an experiment that `compare` reports on: no progress, no TensorBoard, no page."""
    from alvision.loop.build import build_experiment, open_data
    from alvision.loop.run import run as run_loop

    with ExitStack() as stack:
        data = open_data(composed.config)
        exp = build_experiment(composed, data, stack=stack, progress=False)
        publish = _with_logger(composed, exp, stack)
        run_loop(replace(exp, publish=publish))


def run_and_report(composed: ComposedRun, *, wait: bool = False) -> None:
    """Run an experiment, print its rounds and write its page.

    Args:
        composed: The configuration and its strategies.
        wait: With a page: wait for its people instead of ending.

    Raises:
        RunChanged: With a page, after a round: the run must be built again, and then goes on.
    """
    from alvision.cli.advice import next_line
    from alvision.dataset.people import begin_anew_if_groups_changed
    from alvision.dataset.relisting import relisted
    from alvision.loop.build import build_experiment, open_data
    from alvision.loop.run import differs_from_budget, history
    from alvision.loop.run import run as run_loop
    from alvision.oracles.page import ImagesChanged
    from alvision.run_folder.load import load_run
    from alvision.run_folder.reading import Reading

    config = composed.config
    begin_anew_if_groups_changed(config)
    data = open_data(config)
    # The first line comes before the network, whose libraries take seconds to import.
    console.print(
        f"{config.out}: {len(data.split.pool)} images to choose from, "
        f"{_held_out(data)}, classes {', '.join(data.classes)}",
        markup=False,
    )
    warn(data.notices)
    with ExitStack() as stack:
        exp = build_experiment(composed, data, stack=stack, wait=wait)
        log_and_write = _with_logger(composed, exp, stack)
        if wait:
            exp.learner.features.tell = Reading(exp.root)
        # With several devices each rank is a process of its own.
        if config.trainer.devices == 1 and (expected := _expected_peak(exp, config)):
            console.print(f"memory: at most {expected / 1e9:.2f} GB")
        _, manifest, spec = load_run(exp.root)
        if manifest and (warning := shrinks(manifest, spec)):
            console.print(warning)
        for row in history(exp)[:-1]:  # the last one is published again
            console.print(line(row, config.target.metric, audit=config.answered_by_people))
        if not exp.finished:
            console.print(next_line(exp, len(data.evaluation_ids)), markup=False)

        from alvision.data.set_aside import FILE, set_aside_line
        from alvision.reporting.loggers import tensorboard

        told: dict[str, str] = {}
        resumed = len(exp.finished) - 1

        def publish(rnd: Round) -> None:
            log_and_write(rnd)
            if (unread := exp.learner.set_aside) != told:
                warn([f"{set_aside_line(unread)}; all of them: {exp.root / FILE}"])
                told.update(unread)
            tensorboard.log(exp.root, rnd.number, manifest=manifest, spec=spec)
            row = rnd.read("metrics.json")
            console.print(line(row, config.target.metric, audit=config.answered_by_people))
            console.print(f"          {next_line(exp)}", markup=False)
            if wait and rnd.number > resumed and relisted(data):
                raise ImagesChanged

        run_loop(replace(exp, publish=publish))
        if note := differs_from_budget(exp):
            console.print(note, markup=False)
        from alvision.reporting.run import page as run_report

        page = run_report.write(exp.root, manifest=manifest, spec=spec)
        console.print(f"report: {page}", markup=False)


def _held_out(data: DataSet) -> str:
    """Name every image that is not in the pool: with people, some wait for the threshold."""
    if not data.answered_by_people:
        return f"{len(data.evaluation_ids)} held out"
    monitor, sealed = len(data.split.monitor), len(data.split.seal)
    return f"{monitor} held out to measure the model and {sealed} sealed for the threshold"


def _with_logger(
    composed: ComposedRun, exp: Experiment, stack: ExitStack
) -> Callable[[Round], None]:
    """Return what publishes a round: to the chosen logger, then as the run's own tables."""
    from alvision.loop.run import history

    logger = _logger(composed, exp, stack)

    def publish(rnd: Round) -> None:
        if logger and (trouble := logger.log(history(exp))):
            console.print(f"{exp.root}: {trouble}; the run goes on", markup=False)
        exp.publish(rnd)  # last: a study takes a whole metrics.csv for a finished run

    return publish


def _logger(composed: ComposedRun, exp: Experiment, stack: ExitStack) -> RunLogger | None:
    if composed.logger is None:
        return None
    from alvision.evaluation.metrics import metrics_of
    from alvision.reporting.loggers.lightning import RunLogger

    config, name = composed.config, str(composed.choices["logger"])
    chosen = {key: composed.choices[key] for key in ("acquisition", "cold_start")}
    settings = {**asdict(config), **chosen}
    return stack.enter_context(
        RunLogger(
            composed.logger,
            name,
            exp.root,
            study=str(config.name),
            settings=settings,
            metrics=metrics_of(config.metrics),
        )
    )


def _expected_peak(exp: Experiment, config: RunConfig) -> int | None:
    from alvision.inference.features import PIXELS
    from alvision.inference.memory import BETWEEN_FITS, expected_peak

    learner, budget, count = exp.learner, config.budget, len(exp.candidates)
    kept = learner.features.tile_bytes + learner.features.patch_bytes
    if config.model.training == "finetune":
        whole = budget.initial == "all"
        labels = count if whole else int(budget.initial) + budget.rounds * budget.batch
        height, width = learner.features.spec.shape
        pixels = min(PIXELS, 3 * height * width * min(labels, count))
        kept += pixels + BETWEEN_FITS
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


def line(row: dict[str, Any], metric: str, *, audit: bool = False) -> str:
    """Say in a line what a round brought.

    Args:
        row: The content of metrics.json.
        metric: The metric to name.
        audit: People label the held-out images, so their number grows from round to round.

    >>> line({"round": 3, "labels": 80, "macro_f1": 0.7512}, "macro_f1")
    'round  3:    80 labels, macro_f1 0.751'
    >>> line({"round": 3, "labels": 80, "macro_f1": 0.7512, "n": 24}, "macro_f1", audit=True)
    'round  3:    80 labels, macro_f1 0.751 on 24 audit images'
    """
    from alvision.evaluation.audit import too_few

    value = row.get(metric)
    few = too_few(row) if audit and value is None else None
    score = "not known" if value is None else f"{value:.3f}"
    on = f" on {row['n']} audit images" if audit and value is not None else ""
    note = f"; {row['cold_start']}" if "cold_start" in row else ""
    said = few or f"{metric} {score}{on}"
    return f"round {row['round']:>2}: {row['labels']:>5} labels, {said}{note}"


def shrinks(manifest: Manifest, spec: ImageSpec) -> str | None:
    """Warn if the network sees photographs at less than an eighth of their size; looks at 20."""
    if manifest.features is not None:
        return None
    from alvision.data.images import UnreadableImage, shrink_factor

    most = 1.0
    for path in manifest.paths[:: max(1, len(manifest) // 20)]:
        with suppress(UnreadableImage):
            most = max(most, shrink_factor(path, spec))
    if most <= 8:
        return None
    return (
        f"warning: photographs are shrunk {most:.0f} x to {spec.sides} pixels, so a small defect "
        "may vanish; set data.image.crop to the part, a larger data.image.size, or "
        "data.image.tiles=auto"
    )
