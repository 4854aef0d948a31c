"""Measure what each choice in a head's training is worth: macro-F1 by labels, one table a data set.

    python scripts/measure_heads.py experiment=xsdd data.root=FOLDER
    python scripts/measure_heads.py experiment=elpv

Each row changes one thing of the head of a run, `now`; the difference to it is paired by seed, with
an interval of 95 %. The labels are random. Half of the groups are held out, another half for each
seed. `--labels` (0: the whole pool), `--seeds`: how many; `--rows`: which.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from heads_on_features import Trial, fit, macro_f1, row, standardised, trials
from torch import Tensor
from torch.nn import functional

from alvision.inference.statistics import Statistics


def by_one_number(pool: Tensor) -> Statistics:
    """Divide all features by their root mean square, as early versions did."""
    ones = torch.ones(pool.shape[1])
    return Statistics(0 * ones, ones / pool.square().mean().sqrt())


def by_deviation(floor: float, quantile: float = 0.5) -> Callable[[Tensor], Statistics]:
    """Divide by deviations, none of them below so many times that quantile of them."""

    def of(pool: Tensor) -> Statistics:
        deviation = pool.std(0)
        least = floor * float(torch.quantile(deviation[deviation > 0], quantile))
        return Statistics(pool.mean(0), 1 / deviation.clamp(min=max(least, 1e-9)))

    return of


def of_length_one(trial: Trial) -> Trial:
    """Divide the features of each image by their length."""
    return replace(
        trial,
        pool=functional.normalize(trial.pool, dim=1),
        held_out=functional.normalize(trial.held_out, dim=1),
    )


ROWS: dict[str, dict[str, Any]] = {
    "now": {},
    "all features divided by one number": {"by": by_one_number},
    "each by its own deviation, no floor": {"by": by_deviation(0.0)},
    "half the floor": {"by": by_deviation(0.5)},
    "twice the floor": {"by": by_deviation(2.0)},
    "the floor at three quarters": {"by": by_deviation(1.0, 0.75)},
    "features of length one first": {"length_one": True},
    "a start at zero": {"zero": True},
    "a start at zero, rate .001": {"zero": True, "rate": 0.001},
    "a start at zero, rate .003": {"zero": True, "rate": 0.003},
    "a start at zero, rate .03": {"zero": True, "rate": 0.03},
    "400 steps at .003": {"steps": 400, "rate": 0.003},
    "a start at zero, 400 steps at .003": {"zero": True, "steps": 400, "rate": 0.003},
    "a start at zero, dropout .5": {"zero": True, "dropout": 0.5},
    "a start at zero, weight decay 1": {"zero": True, "decay": 1.0},
    "a start at zero, weight decay 10": {"zero": True, "decay": 10.0},
    "a start at zero, ridge 1": {"zero": True, "decay": 0.0, "ridge": 1.0},
    "a start at zero, ridge D/10, rate .03": {
        "zero": True, "decay": 0.0, "ridge_by_width": 0.1, "rate": 0.03,
    },
}  # fmt: skip


def score(plain: list[Trial], classes: int, labels: int, recipe: dict[str, Any]) -> list[float]:
    """Return macro-F1 of each seed with so many labels."""
    recipe = dict(recipe)
    by = recipe.pop("by", None)
    if recipe.pop("length_one", False):
        plain = [of_length_one(one) for one in plain]
    ready = [standardised(one, by) for one in plain]
    n = min(len(one.pool) for one in ready)
    n = min(labels or n, n)
    features = torch.stack([one.pool[:n] for one in ready])
    labelled = torch.stack([one.pool_targets[:n] for one in ready])
    if by_width := recipe.pop("ridge_by_width", 0.0):
        recipe["ridge"] = by_width * features.shape[2]
    weight, bias = fit(features, labelled, classes, **recipe)
    return [macro_f1(one, one.held_out @ weight[i] + bias[i]) for i, one in enumerate(ready)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--labels", type=int, nargs="+", default=[28, 100, 300])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    found, classes = trials(given.words, given.seeds)
    pool = min(len(one.pool) for one in found)
    names = [f"{min(n or pool, pool)} labels | difference" for n in given.labels]
    print("| head | " + " | ".join(names) + " |")
    print("| --- " + "| ---: " * 2 * len(names) + "|", flush=True)
    base = [score(found, classes, n, ROWS["now"]) for n in given.labels]
    for name in given.rows:
        own = [score(found, classes, n, ROWS[name]) for n in given.labels] if ROWS[name] else base
        print(row(name, own, base), flush=True)


if __name__ == "__main__":
    main()
