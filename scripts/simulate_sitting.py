"""Sit in for a person who errs in one answer of ten, and do what the advice says.

    python scripts/simulate_sitting.py experiment=elpv
    python scripts/simulate_sitting.py experiment=digits seed=3 labels.noise=weigh

An ordinary simulated run of at most 200 answers: each class is called another one, evenly, in a
tenth of its images; a tenth of each batch is drawn at random; and the run ends where advice says
stop. It prints the line of each round and, at the end, all that is said. Further words are settings
of the run.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from alvision.advice.sentences import advise
from alvision.cli.run import run_and_report
from alvision.config.compose import compose
from alvision.dataset.dataset import DataSet
from alvision.reporting.run.folder import read
from alvision.reporting.run.summary import facts

ANSWERS = 200
ERRS = 0.1


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


def main() -> None:
    folder, lines = sit(sys.argv[1:])
    print(f"\n{folder}:")
    for line in lines:
        print(f"- {line}")


if __name__ == "__main__":
    main()
