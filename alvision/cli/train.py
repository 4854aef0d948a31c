"""`train`: the final model, from all labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.cli.console import console, warn
from alvision.cli.options import Options, option
from alvision.config.checks import WITHOUT_IMAGES
from alvision.core.rounds import DOCUMENT, lock, read_document
from alvision.core.shell import command

if TYPE_CHECKING:
    from alvision.config.compose import ComposedRun
    from alvision.config.schema import RunConfig

USAGE = """\
alvision train out=runs/brakes/uncertainty_herding/seed-0
alvision train data.root=photos
alvision train data=csv data.root=parts/ data.file=labels.csv out=runs/brakes

Trains on every label that is not held out: those of the run in out=, those that
the data itself names (class folders, a label column), or else those that people
gave beside data.root= (alvision label). The temperature and every figure come from
the monitor images, which no model was trained on. With model.training=auto, the
default, a frozen and a finetuned network and the mean of both compete on the
labelled images, in three folds of whole groups. Where only good parts are labelled,
it remembers their patches, and stops what is unlike them. Writes <out>/final/: model.ckpt,
model.json, monitor.parquet and reliability.png."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """The words of `train` that may stand alone; every other word is a key of a run."""

    command = "train"
    example = "alvision train out=runs/brakes"

    out: Path | None = option(
        "The run to train on. Alone: with that run's labels and settings.",
        default=None,
        shown="runs/<name>/...",
    )
    debug: bool = option("Show tracebacks.", default=False)


OPTIONS = (TrainOptions,)


def train(words: list[str]) -> int:
    """Train the final model of a run, or of data that is labelled already."""
    options, rest = TrainOptions.take(words)

    from alvision.dataset.dataset import DataSet
    from alvision.deploy.bundle.promise import percent_range
    from alvision.deploy.train.final_model import FOLDER, train
    from alvision.deploy.train.labelled_data import import_truth, run_config_of_today
    from alvision.evaluation.audit import too_few
    from alvision.run_folder.experiment_file import describe_run
    from alvision.run_folder.fixed_settings import claim_run

    root = options.out
    if root and not rest and (root / DOCUMENT).exists():
        config, stored = run_config_of_today(root), read_document(root)
        choices, line = stored["choices"], stored["command"]
        begun = True
    else:
        composed = _composed(words)
        config, choices, line = composed.config, composed.choices, composed.command
        root, begun = Path(str(config.out)), False
    with lock(root):
        if config.answered_by_people or not begun:
            data = DataSet.open(config)
            config = data.config  # settled, as it will be found again
            described = describe_run(
                config,
                choices,
                line,
                classes=data.classes,
                precision=_settled_precision(config, root),
                anonymous=config.answered_by_people,
            )
            claim_run(root, described, people=config.answered_by_people)
        if not config.answered_by_people and not (root / "rounds").exists():
            import_truth(config)
        data = DataSet.open(config)
        warn(data.notices)
        data.keep_split()  # what this model has seen is never held out from another
        facts = train(config, root, say=partial(console.print, markup=False)).facts
    if facts.contest is not None:
        _print_contest(facts.contest)
    monitor, labels = facts.monitor, facts.labels
    counts = ", ".join(f"{count} {name}" for name, count in labels.items())
    console.print(f"trained on {sum(labels.values())} labels: {counts}", markup=False)
    if facts.memory is not None:
        console.print(
            f"no defect is labelled, so it knows good parts only: {facts.memory.size}. It tells "
            "what is unlike them, and cannot name a defect",
            markup=False,
        )
    if few := too_few(monitor.figures, "monitor image"):
        console.print(few, markup=False)
    else:
        console.print(
            f"{monitor.images} monitor images: accuracy {monitor.accuracy:.3f} (95 % interval "
            f"{percent_range(monitor.right, monitor.images)}), macro-F1 {monitor.macro_f1:.3f}, "
            f"temperature {facts.temperature:.2f} (calibration error "
            f"{monitor.calibration_error_before:.3f} before, {monitor.calibration_error:.3f} after)"
        )
    console.print(
        f"model: {root / FOLDER}; next: {command('alvision', 'export', f'out={root}')}",
        markup=False,
    )
    return 0


def _print_contest(contest: Mapping[str, Any]) -> None:
    """Print which kind of network was chosen, and what each reached on images it did not learn."""
    console.print(f"network: {contest['chosen']} ({contest['reason']})", markup=False)
    for entry in contest["entries"]:
        gain = (
            ""
            if entry["name"] == "frozen"
            else f", {entry['gain']:+.3f} ({entry['low']:+.3f} to {entry['high']:+.3f})"
        )
        console.print(
            f"  {entry['name']:9} macro-F1 {entry['macro_f1']:.3f}{gain}, "
            f"log loss {entry['log_loss']:.3f}",
            markup=False,
        )


def _composed(words: list[str]) -> ComposedRun:
    """Compose the configuration; where only people know the classes, it is that of their run."""
    from alvision.config.compose import compose
    from alvision.dataset.people import only_people_know, with_people_choices

    composed = compose(words)
    if not any(word.startswith("oracle") for word in words) and only_people_know(composed.config):
        composed = compose([f"oracle={_people_answer(composed.config)}", *words])
    return replace(composed, config=with_people_choices(composed.config))


def _settled_precision(config: RunConfig, root: Path) -> str | None:
    """Return the precision that the run of this folder settled on, where none is asked for."""
    if config.trainer.precision != "auto" or not (root / DOCUMENT).exists():
        return None
    return str(read_document(root)["config"]["trainer"]["precision"])


def _people_answer(config: RunConfig) -> str:
    """Return how people answer: as in the run whose folder this is, or at the page."""
    root = Path(str(config.out))
    if (root / DOCUMENT).exists():
        kind = str(read_document(root)["config"]["oracle"]["kind"])
        if kind != "simulated":
            return kind
    return "files" if config.data.kind in WITHOUT_IMAGES else "page"
