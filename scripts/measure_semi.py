"""Measure what the unlabelled pool teaches a head: macro-F1 by labels, one table a data set.

    python scripts/measure_semi.py experiment=xsdd data.root=FOLDER
    python scripts/measure_semi.py experiment=elpv

Each row is a way to learn from the pool; the difference to the head of a run, `labels alone`, is
paired by seed, with an interval of 95 %. The labels are random; half of the groups are held out.
`--labels`, `--seeds`: how many.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from heads_on_features import Trial, fit, macro_f1, row, standardised, trials
from sklearn.semi_supervised import LabelSpreading
from torch import Tensor
from torch.nn import functional

SURE = 0.95
"""A pseudo-label needs such a mean probability over the members of the ensemble."""

MEMBERS = 5
UNLABELLED = 256
"""Images of the pool in each step of entropy minimisation."""


def alone(trial: Trial, n: int, classes: int) -> Tensor:
    """Learn from the labels alone."""
    weight, bias = fit(trial.pool[None, :n], trial.pool_targets[None, :n], classes)
    return trial.held_out @ weight[0] + bias[0]


def pseudo_labels(trial: Trial, n: int, classes: int) -> Tensor:
    """Learn again, with what an ensemble of heads on bootstrap samples is sure of in the pool."""
    rng = np.random.default_rng(trial.seed)
    rows = torch.from_numpy(np.stack([rng.integers(0, n, n) for _ in range(MEMBERS)]))
    weight, bias = fit(trial.pool[rows], trial.pool_targets[rows], classes)
    sure, said = (trial.pool[n:] @ weight + bias).softmax(-1).mean(0).max(1)
    keep = sure > SURE
    features = torch.cat([trial.pool[:n], trial.pool[n:][keep]])
    targets = torch.cat([trial.pool_targets[:n], said[keep]])
    weight, bias = fit(features[None], targets[None], classes)
    return trial.held_out @ weight[0] + bias[0]


def propagation(trial: Trial, n: int, classes: int) -> Tensor:
    """Spread the labels over the graph of the 10 nearest neighbours, by cosine (Zhou et al. 2004).

    The held-out images are part of the graph, which flatters it.
    """
    points = functional.normalize(torch.cat([trial.pool, trial.held_out]), dim=1).numpy()
    targets = np.full(len(points), -1)
    targets[:n] = trial.pool_targets[:n]
    model = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.9, max_iter=100)
    model.fit(points, targets)
    said = torch.full((len(trial.held_out), classes), -1.0)
    spread = torch.from_numpy(model.label_distributions_[len(trial.pool) :]).float()
    said[:, model.classes_.tolist()] = spread
    return said


def entropy(trial: Trial, n: int, classes: int) -> Tensor:
    """Add the mean entropy of the pool's predictions to the loss (Grandvalet and Bengio 2004)."""
    rng = torch.Generator().manual_seed(trial.seed)

    def more(weight: Tensor, bias: Tensor) -> Tensor:
        rows = torch.randint(n, len(trial.pool), (UNLABELLED,), generator=rng)
        log_p = (trial.pool[rows] @ weight[0] + bias[0]).log_softmax(-1)
        return -0.1 * (log_p.exp() * log_p).sum(1).mean()

    weight, bias = fit(trial.pool[None, :n], trial.pool_targets[None, :n], classes, more=more)
    return trial.held_out @ weight[0] + bias[0]


ROWS: dict[str, Callable[[Trial, int, int], Tensor]] = {
    "labels alone": alone,
    "pseudo-labels of an ensemble": pseudo_labels,
    "label propagation": propagation,
    "entropy minimisation": entropy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--labels", type=int, nargs="+", default=[28, 100])
    given = parser.parse_args()
    torch.set_num_threads(1)
    plain, classes = trials(given.words, given.seeds)
    found = [standardised(one) for one in plain]
    print("| learns from | " + " | ".join(f"{n} labels | difference" for n in given.labels) + " |")
    print("| --- " + "| ---: " * 2 * len(given.labels) + "|", flush=True)
    base = None
    for name, way in ROWS.items():
        own = [[macro_f1(one, way(one, n, classes)) for one in found] for n in given.labels]
        base = own if base is None else base
        print(row(name, own, base), flush=True)


if __name__ == "__main__":
    main()
