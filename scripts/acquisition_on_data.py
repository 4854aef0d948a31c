"""Measure which acquisition functions save labels on real defect images, and which lose to random.

    python scripts/acquisition_on_data.py --xsdd FOLDER [--out FOLDER] [--only NAME ...] [--write]

Every configured strategy runs through `alvision compare` on ELPV (from its package) and on X-SDD
(`labels.csv` and the images below FOLDER), once for each of five fixed folds as the test part:
whole groups, the same first labels for all strategies of a fold. Finished runs are not repeated.
The table gives the area under the curve of macro-F1 and its difference from random sampling, both
with 95 % intervals over folds. `--write` puts it into docs/acquisition.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from blocks import rewrite

from alvision import CONFIG_DIR
from alvision.cli import main
from alvision.evaluation.intervals import Estimate, mean_interval
from alvision.study.collect import BASELINE, collect
from alvision.study.summary import summarise

PAGE = Path(__file__).parent.parent / "docs" / "acquisition.md"
FOLDS = 5
ELPV = ["experiment=elpv"]
# All its classes are defects; the rarest one stands for those that `similar_to_defects` looks for.
XSDD = [
    "data=csv", "data.file=labels.csv", "name=xsdd", "defects=[oxide_scale_of_plate_system]",
    "budget.initial=14", "budget.batch=14", "budget.rounds=13",
]  # fmt: skip

Areas = dict[str, np.ndarray]


def configured() -> list[str]:
    """Return the names of all strategies, random sampling first."""
    names = sorted(path.stem for path in CONFIG_DIR.glob("acquisition/*.yaml"))
    return [BASELINE, *(name for name in names if name != BASELINE)]


def areas(words: list[str], names: list[str], out: Path) -> Areas:
    """Compare strategies on every fold and return each one's areas under the curve, [FOLDS]."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for fold in range(FOLDS):
        folder = out / f"fold-{fold}"
        chosen = [f"acquisition=[{','.join(names)}]", "seeds=1", f"data.fold={fold}"]
        if main(["compare", *words, *chosen, f"out={folder}"]):
            sys.exit(1)
        for row in summarise(collect(folder, names, [0])).rows:
            found[row.acquisition].append(float(row.areas[0]))
    return {name: np.array(values) for name, values in found.items()}


def table(found: dict[str, Areas]) -> str:
    """Write the areas of every data set as a Markdown table, the best first."""
    lines = [
        "| data | strategy | area under the curve | against random | folds won |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for data, values in found.items():
        for name in sorted(values, key=lambda name: -values[name].mean()):
            cells = [data, name, _with_interval(mean_interval(values[name]), "{:.3f}")]
            if name == BASELINE:
                cells += ["", ""]
            else:
                more = values[name] - values[BASELINE]
                cells += [
                    _with_interval(mean_interval(more), "{:+.3f}"),
                    f"{(more > 0).sum()} of {len(more)}",
                ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(estimate: Estimate, form: str) -> str:
    value, low, high = (form.format(x) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def run() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--xsdd", type=Path, required=True, help="the folder with X-SDD's images")
    parser.add_argument("--out", type=Path, default=Path("runs/acquisition"))
    parser.add_argument("--only", nargs="+", default=configured(), metavar="NAME")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    names = list(dict.fromkeys([BASELINE, *arguments.only]))
    data = {"ELPV": ELPV, "X-SDD": [*XSDD, f"data.root={arguments.xsdd.resolve()}"]}
    found = {
        title: areas(words, names, arguments.out / title.lower()) for title, words in data.items()
    }
    print(table(found))
    if arguments.write:
        rewrite(PAGE, "data", table(found))


if __name__ == "__main__":
    run()
