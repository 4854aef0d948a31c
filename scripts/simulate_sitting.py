"""Sit in for a person who errs in one answer of ten, and do what the advice says.

    python scripts/simulate_sitting.py experiment=elpv labels.noise=repair picture=docs/sitting.png
    python scripts/simulate_sitting.py experiment=digits seed=3 labels.noise=weigh

An ordinary simulated run of at most 200 answers: each class is called another one, evenly, in a
tenth of its images; a tenth of each batch is drawn at random; and the run ends where advice says
stop. It prints the line of each round and, at the end, all that is said. picture= draws that.
Further words are settings of the run.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from alvision.advice.facts import SIGNALS
from alvision.advice.sentences import advise
from alvision.cli.run import run_and_report
from alvision.config.compose import compose
from alvision.dataset.dataset import DataSet, open_label_store
from alvision.evaluation.audit import INTERVAL
from alvision.labels.consensus import consensus
from alvision.reporting.run.folder import read
from alvision.reporting.run.summary import facts
from alvision.run_folder.facts import facts_of
from alvision.run_folder.load import load_run_config_in_place

ANSWERS = 200
ERRS = 0.1
STEPS_SHOWN = 8
BLUE, GREY = "#1f5fa8", "#777777"


def erring(classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return how often each class is called another one: evenly, `ERRS` in all."""
    each = ERRS / (len(classes) - 1)
    return {one: {other: each for other in classes if other != one} for one in classes}


def sit(words: list[str]) -> tuple[Path, list[str]]:
    """Run a sitting; return its folder and all that is said of it in the end."""
    composed = compose(["oracle.control=0.1", "budget.stop=advice", *words])
    config = composed.config
    rounds = (ANSWERS - int(config.budget.initial)) // config.budget.batch
    config = replace(
        config,
        budget=replace(config.budget, rounds=rounds),
        oracle=replace(config.oracle, confusion=erring(DataSet.open(config).classes)),
    )
    run_and_report(replace(composed, config=config))
    folder = Path(str(config.out))
    return folder, [str(sentence) for sentence in advise(facts(read(folder)))]


def picture(folder: Path, lines: list[str], path: Path) -> None:
    """Draw a sitting: the score by the answers, what was said on the way, and the wrong answers."""
    run = read(folder)
    history = [rnd.metrics for rnd in run.finished if rnd.metrics is not None]
    answers = [row["answers"] for row in history]
    scores = [row["macro_f1"] for row in history]
    ends = [(row.get(SIGNALS) or {}).get(INTERVAL) or (None, None) for row in history]
    figure = Figure((9.6, 4.6), layout="constrained")
    axes, words = figure.subplots(1, 2, width_ratios=(1, 1.35))
    axes.plot(answers, scores, marker="o", color=BLUE)
    known = [(n, *end) for n, end in zip(answers, ends, strict=True) if None not in end]
    axes.fill_between(*zip(*known, strict=True), color=BLUE, alpha=0.15, linewidth=0)
    axes.axvline(answers[-1], color=GREY, linestyle="--")
    ended = "advice says stop" if answers[-1] < ANSWERS else f"{ANSWERS} answers"
    place = {"xytext": (-4, 6), "textcoords": "offset points", "ha": "right", "color": GREY}
    axes.annotate(ended, (answers[-1], 0), xycoords=("data", "axes fraction"), **place)
    axes.set(xlabel="answers, one of ten of them wrong", ylabel="macro-F1")
    axes.spines[["top", "right"]].set_visible(False)
    words.axis("off")
    said = [
        f"{row['answers']} answers: {advise(facts_of(run.experiment, history[: k + 1]))[0]}"
        for k, row in enumerate(history[:-1])
    ]
    text = [*said[-STEPS_SHOWN:], "", "In the end:", *(f"– {line}" for line in lines)]
    text += ["", mistakes(folder)]
    wrapped = [part for line in text for part in textwrap.wrap(line, 76) or [""]]
    words.text(0, 1, "\n".join(wrapped), va="top", fontsize=8.2, linespacing=1.35)
    figure.savefig(path, dpi=110)


def mistakes(folder: Path) -> str:
    """Say how many answers were wrong, and how many images have a wrong class in the end."""
    config = load_run_config_in_place(folder)
    truth = DataSet.open(config).truth
    with open_label_store(config) as store:
        events = [event for event in store.events() if event.kind == "label"]
    wrong = sum(event.label != truth[event.id] for event in events)
    last = consensus(events, lambda event: event.id)
    left = sum(vote.label != truth[id] for id, vote in last.items())
    return f"{wrong} of {len(events)} answers were wrong, {left} of {len(last)} labels still are."


def main() -> None:
    words = sys.argv[1:]
    drawn = [word.removeprefix("picture=") for word in words if word.startswith("picture=")]
    folder, lines = sit([word for word in words if not word.startswith("picture=")])
    print(f"\n{folder}:")
    for line in lines:
        print(f"- {line}")
    print(f"- {mistakes(folder)}")
    for path in drawn:
        picture(folder, lines, Path(path))


if __name__ == "__main__":
    main()
