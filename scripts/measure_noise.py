"""Measure what wrong labels cost a head, and what `labels.noise=weigh` gives back.

    python scripts/measure_noise.py experiment=elpv_confused

Macro-F1 on held-out images with their true classes. The labels are random images, answered as the
configuration's `oracle` errs. The difference to the head of a run is paired by seed, with an
interval of 95 %. Half of the groups are held out. `true labels` is what no handling of noise can
pass by much. `--labels`, `--seeds`: how many.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace

import torch
from heads_on_features import Trial, fit, macro_f1, row, standardised, trials

from alvision.config.compose import configuration
from alvision.dataset.dataset import DataSet
from alvision.oracles.noise import confused, graded, noisy_answers
from alvision.training.losses import DOUBT


def reached(trial: Trial, n: int, classes: int, *, q: float) -> float:
    """Return the macro-F1 of a head taught by the first n labels."""
    weight, bias = fit(trial.pool[None, :n], trial.pool_targets[None, :n], classes, q=q)
    return macro_f1(trial, trial.held_out @ weight[0] + bias[0])


class People:
    """Answer a seed's pool as the configuration's people would."""

    def __init__(self, words: list[str]) -> None:
        config = configuration([*words, "acquisition=margin"])
        data = DataSet.open(config)
        self.truth: Mapping[str, str] = data.truth
        self.chances = confused(config.oracle.confusion or {}, data.classes)
        if config.oracle.graded:
            self.chances = graded(data.manifest.ids, data.manifest.answer_shares)
        self.classes = sorted(set(self.truth.values()))

    def answer(self, trial: Trial) -> Trial:
        """Return a trial with these answers in place of the classes."""
        said = noisy_answers(self.truth, self.chances, seed=trial.seed)
        answers = torch.tensor([self.classes.index(said[id]) for id in trial.ids])
        return replace(trial, pool_targets=answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--labels", type=int, nargs="+", default=[200])
    given = parser.parse_args()
    torch.set_num_threads(1)
    found, classes = trials(given.words, given.seeds)
    true = [standardised(one) for one in found]
    people = People(given.words)
    said = [people.answer(one) for one in true]
    most = max(given.labels)
    pairs = zip(true, said, strict=True)
    wrong = [float((a.pool_targets != b.pool_targets)[:most].float().mean()) for a, b in pairs]
    print(f"{100 * sum(wrong) / len(wrong):.1f} % of the first {most} labels are wrong")
    print("| learns by | " + " | ".join(f"{n} labels | difference" for n in given.labels) + " |")
    print("| --- " + "| ---: " * 2 * len(given.labels) + "|", flush=True)
    base = None
    for name, pools, q in (("off", said, 0.0), ("weigh", said, DOUBT), ("true labels", true, 0.0)):
        own = [[reached(one, n, classes, q=q) for one in pools] for n in given.labels]
        base = own if base is None else base
        print(row(name, own, base), flush=True)


if __name__ == "__main__":
    main()
