"""Measure whether strategies gain from standardised features: macro-F1 by labels, plain and so.

    python scripts/measure_embeddings.py experiment=xsdd data.root=FOLDER
    python scripts/measure_embeddings.py experiment=digits --strategies typiclust

Each strategy chooses batches from the first label on, once by plain features and once by features
that are standardised by the pool; the head's are standardised in both. The difference is paired by
seed, with an interval of 95 %. `--seeds`, `--batch`, `--rounds`: size of it.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from heads_on_features import Trial, fit, macro_f1, standardised, trials
from torch import Tensor

from alvision import acquisition
from alvision.evaluation.intervals import mean_interval
from alvision.inference.predictions import Predictions

STRATEGIES = ("max_herding", "uncertainty_herding", "k_center", "typiclust", "badge")


def curve(trial: Trial, seen: Tensor, classes: int, name: str, batch: int, rounds: int) -> list:
    """Return macro-F1 after each batch that a strategy chose by the features `seen`."""
    left, known, scores, head = list(range(len(seen))), [], [], None

    def look(rows: list[int]) -> Predictions:
        log_p = torch.full((len(rows), classes), -math.log(classes))
        if head is not None:
            log_p = (trial.pool[rows] @ head[0][0] + head[1][0]).log_softmax(1)
        return Predictions.of(
            [str(row) for row in rows], features=seen[rows], log_probs=log_p[:, None]
        )

    for number in range(rounds):
        rng = torch.Generator().manual_seed(trial.seed * 100 + number)
        labelled = look(known) if known else Predictions(())
        pick = getattr(acquisition, name)(look(left), labelled, n=batch, rng=rng)
        chosen = [left[row] for row in pick.rows.tolist()]
        known += chosen
        left = [row for row in left if row not in set(chosen)]
        head = fit(trial.pool[known][None], trial.pool_targets[known][None], classes, zero=True)
        scores.append(macro_f1(trial, trial.held_out @ head[0][0] + head[1][0]))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    found, classes = trials(given.words, given.seeds)
    names = [f"{given.batch * (n + 1)} labels | gain" for n in range(given.rounds)]
    print("| strategy | " + " | ".join(names) + " |")
    print("| --- " + "| ---: " * 2 * len(names) + "|", flush=True)
    for name in given.strategies:
        scores: dict[str, list] = {"plain": [], "standardised": []}
        for plain in found:
            ready = standardised(plain)
            for kind, seen in (("plain", plain.pool), ("standardised", ready.pool)):
                scores[kind].append(curve(ready, seen, classes, name, given.batch, given.rounds))
        own, gain = np.array(scores["plain"]), np.array(scores["standardised"])
        cells = []
        for number in range(given.rounds):
            by = mean_interval(gain[:, number] - own[:, number])
            cells.append(
                f"{own[:, number].mean():.3f} | {by.value:+.3f} ({by.low:+.3f}, {by.high:+.3f})"
            )
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
