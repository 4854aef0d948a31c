"""Measure what the unlabelled pool teaches a head: macro-F1 by labels, one table a data set.

    python scripts/measure_semi.py experiment=xsdd data.root=FOLDER
    python scripts/measure_semi.py --chosen experiment=elpv

Each row is a way to learn from the pool; the difference to the head of a run, `labels alone`, is
paired by seed, with an interval of 95 %. Half of the groups are held out, and nothing learns from
them. The labels are random; with `--chosen`, typiclust chooses the first 20 and uncertainty_herding
the rest in batches of 20. `--labels`, `--seeds`: how many; `--rows`: which.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse
import torch
from heads_on_features import Trial, class_shares, fit, macro_f1, row, standardised, trials
from torch import Tensor
from torch.nn import functional

SURE = 0.95
"""A pseudo-label needs such a mean probability over the members of the ensemble."""

MEMBERS = 5
UNLABELLED = 256
"""Images of the pool in each step of entropy minimisation."""

NEIGHBOURS = 10
SPREAD = 0.9
"""How much of its label an image of the graph takes from its neighbours in each step, α."""
STEPS = 100

BATCH = 20
"""Images that a strategy chooses at once."""


def alone(trial: Trial, n: int, classes: int) -> Tensor:
    """Learn from the labels alone."""
    return logits(trial, *fit(trial.pool[None, :n], trial.pool_targets[None, :n], classes))


def pseudo_labels(trial: Trial, n: int, classes: int) -> Tensor:
    """Learn again, with what an ensemble of heads on bootstrap samples is sure of in the pool."""
    rng = np.random.default_rng(trial.seed)
    rows = torch.from_numpy(np.stack([rng.integers(0, n, n) for _ in range(MEMBERS)]))
    weight, bias = fit(trial.pool[rows], trial.pool_targets[rows], classes)
    sure, said = (trial.pool[n:] @ weight + bias).softmax(-1).mean(0).max(1)
    keep = sure > SURE
    features = torch.cat([trial.pool[:n], trial.pool[n:][keep]])
    targets = torch.cat([trial.pool_targets[:n], said[keep]])
    return logits(trial, *fit(features[None], targets[None], classes))


def entropy(trial: Trial, n: int, classes: int) -> Tensor:
    """Add the mean entropy of the pool's predictions to the loss (Grandvalet and Bengio 2004)."""
    rng = torch.Generator().manual_seed(trial.seed)

    def more(weight: Tensor, bias: Tensor) -> Tensor:
        rows = torch.randint(n, len(trial.pool), (UNLABELLED,), generator=rng)
        log_p = (trial.pool[rows] @ weight[0] + bias[0]).log_softmax(-1)
        return -0.1 * (log_p.exp() * log_p).sum(1).mean()

    features, targets = trial.pool[None, :n], trial.pool_targets[None, :n]
    return logits(trial, *fit(features, targets, classes, more=more))


def propagated(trial: Trial, n: int, classes: int) -> Tensor:
    """Give a held-out image the mean of what its nearest images of the pool got by propagation."""
    said = propagate(trial.pool, trial.pool_targets[:n], classes)
    pool, held_out = (functional.normalize(x, dim=1) for x in (trial.pool, trial.held_out))
    return said[(held_out @ pool.T).topk(NEIGHBOURS).indices].mean(1)


def taught(trial: Trial, n: int, classes: int) -> Tensor:
    """Train one head on the labels and, as much again, on the pool's propagated labels."""
    said = propagate(trial.pool, trial.pool_targets[:n], classes)[n:]
    reached = said.sum(1) > 0
    said, seen = said[reached], trial.pool[n:][reached]
    shares = class_shares(said.argmax(1)[None], classes)[0, :, None]

    def more(weight: Tensor, bias: Tensor) -> Tensor:
        return -(shares * said * (seen @ weight[0] + bias[0]).log_softmax(-1)).sum()

    features, targets = trial.pool[None, :n], trial.pool_targets[None, :n]
    return logits(trial, *fit(features, targets, classes, more=more))


def logits(trial: Trial, weight: Tensor, bias: Tensor) -> Tensor:
    """Return what one head says about the held-out images."""
    return trial.held_out @ weight[0] + bias[0]


def propagate(features: Tensor, labelled: Tensor, classes: int) -> Tensor:
    """Spread labels over the graph of nearest neighbours, by cosine (Zhou et al. 2004).

    F <- α S F + (1 - α) Y, S the symmetric graph, scaled by the roots of its degrees; each class
    seen counts alike in Y.

    Args:
        features: Of the pool, [N,D]; the first n are labelled.
        labelled: Their classes, [n].
        classes: C.

    Returns:
        Probabilities [N,C]; all 0 where no label reaches.
    """
    count = len(features)
    points = functional.normalize(features, dim=1)
    close = (points @ points.T).fill_diagonal_(-2).topk(NEIGHBOURS).indices.flatten().numpy()
    rows = np.repeat(np.arange(count), NEIGHBOURS)
    graph = scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, close)), shape=(count, count))
    graph = graph.maximum(graph.T)
    root = scipy.sparse.diags(np.asarray(graph.sum(1)).ravel() ** -0.5)
    graph = root @ graph @ root
    start = np.zeros((count, classes))
    start[: len(labelled)] = functional.one_hot(labelled, classes).numpy()
    start /= start.sum(0).clip(min=1)
    found = start
    for _ in range(STEPS):
        found = SPREAD * (graph @ found) + (1 - SPREAD) * start
    total = found.sum(1, keepdims=True)
    return torch.from_numpy(found / np.where(total > 0, total, 1)).float()


ROWS: dict[str, Callable[[Trial, int, int], Tensor]] = {
    "labels alone": alone,
    "pseudo-labels of an ensemble": pseudo_labels,
    "entropy minimisation": entropy,
    "label propagation, no head": propagated,
    "a head taught by propagation": taught,
}


def in_chosen_order(plain: Trial, classes: int, most: int) -> Trial:
    """Return a trial whose pool begins with the images that a run with the defaults would label."""
    from alvision.acquisition import typiclust, uncertainty_herding
    from alvision.inference.predictions import Predictions

    ready, known, left = standardised(plain), list[int](), list(range(len(plain.pool)))
    uniform = torch.full((len(left), classes), -math.log(classes))
    log_p = uniform
    while len(known) < most:

        def seen(rows: list[int], log_p: Tensor = log_p) -> Predictions:
            ids = [str(row) for row in rows]
            return Predictions.of(ids, features=plain.pool[rows], log_probs=log_p[rows, None])

        strategy = uncertainty_herding if known else typiclust
        rng = torch.Generator().manual_seed(plain.seed * 100 + len(known))
        labelled = seen(known) if known else Predictions(())
        pick = strategy(seen(left), labelled, n=min(BATCH, most - len(known)), rng=rng)
        known += [left[number] for number in pick.rows.tolist()]
        left = [number for number in left if number not in set(known)]
        weight, bias = fit(ready.pool[known][None], ready.pool_targets[known][None], classes)
        log_p = (ready.pool @ weight[0] + bias[0]).log_softmax(1)
    order = known + left
    ids = tuple(plain.ids[row] for row in order)
    return replace(plain, ids=ids, pool=plain.pool[order], pool_targets=plain.pool_targets[order])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--labels", type=int, nargs="+", default=[20, 60, 200])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--chosen", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    plain, classes = trials(given.words, given.seeds)
    if given.chosen:
        plain = [in_chosen_order(one, classes, max(given.labels)) for one in plain]
    found = [standardised(one) for one in plain]
    print("| learns from | " + " | ".join(f"{n} labels | difference" for n in given.labels) + " |")
    print("| --- " + "| ---: " * 2 * len(given.labels) + "|", flush=True)
    base = None
    for name in dict.fromkeys(["labels alone", *given.rows]):
        way = ROWS[name]
        own = [[macro_f1(one, way(one, n, classes)) for one in found] for n in given.labels]
        base = own if base is None else base
        print(row(name, own, base), flush=True)


if __name__ == "__main__":
    main()
