"""Measure cold starts: what the first labels are worth, chosen by strategies that need no model.

    python scripts/measure_starts.py --xsdd FOLDER [--write]       everything, then the table
    python scripts/measure_starts.py --data digits elpv            some of it
    python scripts/measure_starts.py --table [--write]             the table from finished runs

Each cold start is followed by the default acquisition function for three rounds, over twelve seeds
that share splits, and compared seed by seed with the random start. Beside them stand random labels
from the first to the last. Runs are kept in `--out`; what is finished is not run again. FOLDER is a
checkout of X-SDD's repository (configs/experiment/xsdd.yaml). `--write` puts the table into
docs/acquisition.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from blocks import rewrite

from alvision.cli.run import run_in_study
from alvision.config.compose import compose
from alvision.evaluation.curves import labels_to_target
from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.run_folder.round_files import read_csv
from alvision.study.statistics import paired_tests

PAGE = Path(__file__).parents[1] / "docs" / "acquisition.md"
ROUNDS = 3
RANDOM = ("random", 0, "")
THROUGHOUT = ("random", 0, "random_sampling")
STARTS = (
    THROUGHOUT, RANDOM, ("max_herding", 0, ""), ("k_center", 0, ""), ("typiclust", 0, ""),
    ("prob_cover", 0, ""), ("random", 5, ""), ("max_herding", 5, ""), ("k_center", 5, ""),
    ("typiclust", 5, ""), ("prob_cover", 5, ""),
)  # fmt: skip
"""Cold start, labels of each class that it goes on for, acquisition ("": the default)."""


@dataclass(frozen=True)
class Data:
    """A data set: its title, experiment, metric, and the scores that labels are counted to."""

    title: str
    experiment: str
    metric: str
    targets: tuple[float, ...] = ()


DATA = {
    "xsdd": Data("X-SDD", "xsdd", "macro_f1", (0.93, 0.95)),
    "digits": Data("digits", "digits", "macro_f1", (0.84,)),
    "elpv": Data("ELPV", "elpv", "macro_f1"),
    "elpv_rare": Data("ELPV, 1 % defects", "elpv_rare", "average_precision"),
}

Curves = dict[tuple[str, int, str], np.ndarray]


def folder_of(out: Path, data: str, arm: tuple[str, int, str], seed: int) -> Path:
    start, per_class, acquisition = arm
    return out / data / f"{start}-{per_class}{'-' if acquisition else ''}{acquisition}" / f"{seed}"


def run_all(out: Path, name: str, seeds: int, arms: int, more: list[str]) -> None:
    """Do what is missing of a data set's runs."""
    for arm in STARTS[:arms]:
        start, per_class, acquisition = arm
        for seed in range(seeds):
            folder = folder_of(out, name, arm, seed)
            table = folder / "metrics.csv"
            if table.exists() and len(read_csv(table)) > ROUNDS:
                continue
            words = [
                f"experiment={DATA[name].experiment}", f"cold_start={start}", f"seed={seed}",
                f"cold_start.per_class={per_class}", f"budget.rounds={ROUNDS}", f"out={folder}",
                *([f"acquisition={acquisition}"] if acquisition else []), *more,
            ]  # fmt: skip
            run_in_study(compose(words))


def read(out: Path, name: str) -> tuple[Curves, np.ndarray]:
    """Return the finished curves of a data set by arm, [S, R] each, and their answers, [R]."""
    found: Curves = {}
    answers = np.zeros(0)
    for arm in STARTS:
        curves = []
        for seed in range(1000):
            table = folder_of(out, name, arm, seed) / "metrics.csv"
            rows = read_csv(table) if table.exists() else []
            if len(rows) <= ROUNDS:
                break
            curves.append([float(row[DATA[name].metric]) for row in rows])
            answers = np.array([float(row["answers"]) for row in rows])
        if curves:
            found[arm] = np.array(curves)
    return found, answers


def table(out: Path, names: list[str]) -> str:
    """Return the table of all data sets that have runs."""
    parts = []
    for name in names:
        curves, answers = read(out, name)
        if RANDOM not in curves:
            continue
        parts.append(_section(DATA[name], curves, answers))
    return "\n\n".join(parts)


def _section(data: Data, curves: Curves, answers: np.ndarray) -> str:
    heads = [f"{count:.0f} labels" for count in answers]
    heads += [f"labels for {target:g}" for target in data.targets]
    lines = [
        f"**{data.title}**: {data.metric}.\n",
        f"| cold start | per_class | seeds | {' | '.join(heads)} | mean, minus random's | p |",
        "| --- | ---: | ---: |" + " ---: |" * (len(heads) + 2),
    ]
    gains = {arm: _gain(curves, arm) for arm in curves if arm != RANDOM}
    whole = [arm for arm, gain in gains.items() if len(gain) == len(curves[RANDOM])]
    p_values = dict(zip(whole, paired_tests([gains[arm] for arm in whole]), strict=True))
    for arm, values in curves.items():
        start, per_class, acquisition = arm
        title = "random from first to last" if acquisition else start
        cells = [f"{value:.3f}" for value in values.mean(0)]
        cells += [_labels(values, answers, target) for target in data.targets]
        found, p_value = gains.get(arm), p_values.get(arm)
        cells.append("" if found is None else _signed(mean_interval(found)))
        cells.append("" if p_value is None else f"{p_value:.3f}")
        lines.append(f"| {title} | {per_class} | {len(values)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(curves: Curves, arm: tuple[str, int, str]) -> np.ndarray:
    """Return the mean of an arm's curve minus the random start's, for each seed that both have."""
    seeds = min(len(curves[arm]), len(curves[RANDOM]))
    return curves[arm][:seeds].mean(1) - curves[RANDOM][:seeds].mean(1)


def _labels(values: np.ndarray, answers: np.ndarray, target: float) -> str:
    """Say where the mean curve crosses a score, and in how many seeds the own curve stays there."""
    mean = labels_to_target(answers.tolist(), values.mean(0).tolist(), target)
    each = [labels_to_target(answers.tolist(), row, target) for row in values.tolist()]
    reached = sum(x is not None for x in each)
    return f"{'–' if mean is None else f'{mean:.0f}'} ({reached} of {len(values)})"


def _signed(found: Estimate) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--xsdd", type=Path, help="the folder with X-SDD's images")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--arms", type=int, default=len(STARTS), help="only the first ones")
    parser.add_argument("--out", type=Path, default=Path("runs/starts"))
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = [name for name in arguments.data if name != "xsdd" or arguments.xsdd or arguments.table]
    for name in [] if arguments.table else names:
        more = [f"data.root={arguments.xsdd.resolve()}"] if name == "xsdd" else []
        run_all(arguments.out, name, arguments.seeds, arguments.arms, more)
    found = table(arguments.out, names)
    print(found)
    if arguments.write:
        rewrite(PAGE, "starts", found)


if __name__ == "__main__":
    main()
