"""`compare`: several acquisition functions over several seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvision.cli.console import console, warn
from alvision.cli.options import Options, option
from alvision.config.checks import KNOWN_DEFECTS, PER_CLASS
from alvision.config.limits import at_least
from alvision.config.schema import RunConfig
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.config.compose import ComposedRun
    from alvision.dataset.dataset import DataSet

USAGE = """\
alvision compare experiment=elpv "acquisition=[random_sampling,margin]" seeds=12

Runs every acquisition function with every seed, from the same first labels, and
measures each against random labels from the first to the last, which get runs of
their own (random_throughout). Beside it stands the difference to random_sampling,
which shares the first labels. The same command resumes: finished runs are not
repeated, and more seeds extend the study. All other keys are those of `run`."""

RANDOM_START = "random"
"""The cold start of the runs that draw all of their labels at random."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """The words of `compare` beside the keys of a run."""

    command = "compare"
    example = 'alvision compare experiment=elpv "acquisition=[random_sampling,margin]" seeds=12'

    acquisition: tuple[str, ...] = option(
        "The acquisition functions.",
        default=("random_sampling", "margin", "entropy", "bald", "k_center"),
    )
    seeds: int = option("Number of seeds, 0 .. N-1.", default=5, limits=at_least(1))
    jobs: int | None = option(
        "Runs at a time; more than there are GPUs share them.",
        default=None,
        limits=at_least(1),
        shown="one a GPU, or one a core where heads are trained on a CPU",
    )
    out: Path | None = option("The study's folder.", default=None, shown="runs/<name>")


OPTIONS = (CompareOptions,)


def compare(words: list[str]) -> int:
    """Run acquisitions x seeds and write the comparison."""
    options, words = CompareOptions.take(words)

    from alvision.config.compose import compose
    from alvision.dataset.dataset import DataSet
    from alvision.study.compare import compare as study

    names, seeds = list(options.acquisition), options.seeds
    if any(word.partition("=")[0].lstrip("+") in ("seed", "acquisition") for word in words):
        raise UserError("compare takes seeds=N and acquisition=[...]; seed= is for `run`")
    if not names:
        raise UserError('acquisition= names nothing: "acquisition=[random_sampling,margin]"')
    first = compose([*words, f"acquisition={names[0]}"])
    if first.config.answered_by_people:
        raise UserError("compare needs the truth of every image; leave oracle= out")
    if first.config.budget.stop:
        raise UserError("compare needs runs of one length; leave budget.stop= out")
    for name in names[1:]:
        compose([*words, f"acquisition={name}"])
    arms = with_random(names, first)
    root = options.out or Path("runs") / str(first.config.name)
    devices = _devices(first.config)
    jobs = options.jobs or _jobs(first.config, len(arms) * seeds, len(devices))
    data = DataSet.open(first.config)
    warn(data.notices)
    _begin(root, arms, seeds, first, data)
    with explained(root):
        comparison = study(
            arms,
            seeds,
            out=root,
            launch=partial(launch, words=words, out=str(root), threads=1 if jobs > 1 else None),
            finished=partial(finished, rounds=first.config.budget.rounds),
            jobs=jobs,
            devices=devices,
            metric=first.config.target.metric,
            target=first.config.target.value,
        )
    for note in ended_early(root, arms, seeds, rounds=first.config.budget.rounds):
        console.print(note, markup=False)
    return tell(root, comparison)


def with_random(names: list[str], first: ComposedRun) -> list[str]:
    """Return what a study runs: the acquisitions, and random labels from the first to the last.

    Where the first labels are drawn at random and nothing else is, `random_sampling` does just
    that, and is run once.

    Raises:
        UserError: An acquisition has the name of these runs.
    """
    from alvision.study.collect import BASELINE, THROUGHOUT

    if THROUGHOUT in names:
        raise UserError(
            f"no acquisition may be called {THROUGHOUT}: these are the runs with random labels "
            "from the first to the last, which every study has; leave it out"
        )
    random = first.choices["cold_start"] == RANDOM_START
    same = random and first.config.cold_start[PER_CLASS] == 0 and BASELINE in names
    return names if same else [THROUGHOUT, *names]


def ended_early(root: Path, names: list[str], seeds: int, *, rounds: int) -> list[str]:
    """Say in a line for each acquisition which of its runs had fewer rounds than were asked for."""
    from alvision.run_folder.round_files import read_csv

    notes = []
    for name in names:
        last = {
            seed: len(read_csv(root / name / f"seed-{seed}" / "metrics.csv")) - 1
            for seed in range(seeds)
        }
        short = {seed: number for seed, number in last.items() if number < rounds}
        if short:
            notes.append(
                f"{name}: the pool was empty after round {min(short.values())} of {rounds} in "
                f"{len(short)} of {seeds} runs"
            )
    return notes


def launch(acquisition: str, seed: int, *, words: list[str], out: str, threads: int | None) -> None:
    """Do one run of a study, in whatever process.

    Beside the acquisitions there are `full`, one fit on the whole pool, and `random_throughout`.
    """
    import torch

    from alvision.cli.run import run_in_study
    from alvision.config.compose import compose
    from alvision.study.jobs import timed

    if threads:
        torch.set_num_threads(threads)
    words = arm_words(acquisition, words)
    folder = Path(out) / acquisition / f"seed-{seed}"
    with timed(folder):
        run_in_study(compose([*words, f"seed={seed}", f"out={folder}"]))


def arm_words(acquisition: str, words: list[str]) -> list[str]:
    """Return the words of a run of a study: those of `compare`, and what sets the run apart.

    >>> arm_words("full", ["seed=1", "cold_start=prob_cover", "cold_start.clusters=7"])[3:]
    ['cold_start=random', 'budget.initial=all', 'budget.rounds=0']
    """
    from alvision.study.collect import BASELINE, FULL, THROUGHOUT

    if acquisition not in (FULL, THROUGHOUT):
        return [*words, f"acquisition={acquisition}"]
    # What the user gave to other functions than random sampling is none of its arguments.
    ours = [f"cold_start.{key}" for key in (PER_CLASS, KNOWN_DEFECTS)]
    kept = []
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        if key in ours or not key.startswith(("acquisition.", "cold_start.")):
            kept.append(word)
    kept += [f"acquisition={BASELINE}", f"cold_start={RANDOM_START}"]
    if acquisition == FULL:
        return [*kept, "budget.initial=all", "budget.rounds=0"]
    return [*kept, f"cold_start.{PER_CLASS}=0"]


def finished(folder: Path, *, rounds: int) -> bool:
    """Tell whether a run of a study has nothing left to do."""
    from alvision.run_folder.round_files import read_csv

    last = 0 if folder.parent.name == "full" else rounds
    table = folder / "metrics.csv"
    # The table comes last: a kill may have come between the round's last file and its row.
    return table.exists() and len(read_csv(table)) > last


def _devices(config: RunConfig) -> list[str]:
    """Name the GPUs that runs can have one each of: none where a run uses none, or several."""
    import torch

    from alvision.study.jobs import VARIABLE, device_names

    if config.trainer.accelerator == "cpu" or config.trainer.devices > 1:
        return []
    return device_names(torch.cuda.device_count(), os.environ.get(VARIABLE))


def _jobs(config: RunConfig, runs: int, devices: int) -> int:
    """Choose how many runs at once: one a GPU; without any, one a core for frozen heads.

    A whole net, or a run on several devices, has the machine to itself.

    >>> _jobs(RunConfig(), 20, devices=4)
    4
    """
    if devices:
        return min(devices, runs)
    if config.model.training == "finetune" or config.trainer.devices > 1:
        return 1
    return max(1, min(os.cpu_count() or 1, runs, 8))


def _begin(root: Path, arms: list[str], seeds: int, first: ComposedRun, data: DataSet) -> None:
    """Refuse a folder whose runs are of other settings, then compute the features once.

    With every core, before the jobs share them. What is refused leaves the study as it was.
    """
    from alvision.loop.build import build_learner
    from alvision.run_folder.experiment_file import describe_run
    from alvision.study.collect import FULL, may_differ, run_folder
    from alvision.study.mixed_runs import refuse_begun

    learner = build_learner(data.config, data, progress=True)
    described = describe_run(
        data.config,
        first.choices,
        first.command,
        classes=data.classes,
        precision=learner.engine.precision,
        anonymous=False,
        manifest=data.content_hash,
    )
    runs = {
        run_folder(root, name, seed): may_differ(name)
        for name in (*arms, FULL)
        for seed in range(seeds)
    }
    refuse_begun(root, runs, described)
    if data.config.model.training != "finetune":
        _ = learner.set_aside


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Let a study that cannot be compared say so on its page too."""
    from alvision.reporting.study import incomparable

    try:
        yield
    except UserError as error:
        if page := incomparable.write(root, str(error)):
            console.print(f"report: {page}", markup=False)
        raise


def tell(root: Path, comparison: Any) -> int:
    """Print a study's table and verdict and name its report."""
    from alvision.dataset.dataset import DataSet
    from alvision.reporting.study import page as study_report
    from alvision.run_folder.load import load_run
    from alvision.study.markdown import table
    from alvision.study.verdict import verdict

    console.print(table(comparison))
    console.print(verdict(comparison), markup=False)
    runs = sorted(root.glob("*/seed-*"))
    config, manifest, spec = load_run(runs[0])
    labels = DataSet(config, manifest, spec).held_out_truth if manifest else {}
    page = study_report.write(root, comparison, manifest=manifest, spec=spec, labels=labels)
    console.print(f"picture: {study_report.figure(comparison, root / 'curves.png')}")
    console.print(f"report: {page}")
    return 0
