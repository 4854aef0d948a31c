"""Measure whether asking doubtful labels again pays more than new labels, on a copy of the loop.

    python scripts/measure_repair.py experiment=elpv_noisy
    python scripts/measure_repair.py experiment=elpv_confused --share 0.25 0.5

Rounds of 20 answers: after 20 random images, the images with the smallest margin are asked, as the
configuration's `oracle` errs, and `repair` spends a share of each round on the labels that a head
which did not learn them believes least. Every answer counts, so what is repaired is not labelled
anew. Macro-F1 on held-out images with their true classes; differences to `off` are paired by seed,
with intervals of 95 %. All seeds are fitted at once. `wrong`: labels that are wrong in the end.

The same in runs themselves, which takes 20 times as long: scripts/measure_noise_in_runs.py.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import torch
from heads_on_features import Trial, macro_f1, row, standardised, trials
from measure_noise import People
from torch import Tensor
from torch.nn import functional

from alvision.loop.again import DOUBTED_FROM, REPAIR
from alvision.oracles.noise import noisy_answers
from alvision.training.cross_validation import FOLDS
from alvision.training.losses import DOUBT

BATCH = 20


def fit_parts(features: Tensor, targets: Tensor, *, q: float) -> Tensor:
    """Train a linear head for each seed and part of its labels, as a run's fitter does.

    Args:
        features: Standardised, [S,n,D].
        targets: One-hot classes by part, [S,F,n,C]; all 0 where a part does not learn an image.
        q: Above 0: the generalised cross entropy with this exponent; 0: cross entropy.

    Returns:
        Logits [S,F,n,C] are `features @ weight + bias`: weight [S,F,D,C] and bias [S,F,1,C] in one,
        [S,F,D+1,C], the bias last.
    """
    torch.manual_seed(0)
    seeds, parts, _, classes = targets.shape
    width = features.shape[2]
    counts = targets.sum(2, keepdim=True)
    shares = targets / counts.clamp(min=1)
    shares = shares / shares.sum((2, 3), keepdim=True)
    bound = width**-0.5
    weight = torch.empty(seeds, width, parts, classes).uniform_(-bound, bound).requires_grad_()
    bias = torch.empty(seeds, parts, 1, classes).uniform_(-bound, bound).requires_grad_()
    optimizer = torch.optim.AdamW([weight, bias], lr=0.01, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 80)
    for _ in range(80):
        kept = (torch.rand(seeds, width, parts, 1) < 0.8).float() / 0.8
        flat = features @ (weight * kept).reshape(seeds, width, parts * classes)
        logits = flat.reshape(seeds, -1, parts, classes).transpose(1, 2) + bias
        log_p = logits.log_softmax(-1)
        loss = (shares * (-torch.expm1(q * log_p) / q if q else -log_p)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return torch.cat([weight.detach().transpose(1, 2), bias.detach()], 2)


class Person:
    """Hold what people said of a seed's pool: a list of answers by row."""

    def __init__(self, trial: Trial, people: People) -> None:
        self.trial = trial
        self.said: dict[int, list[int]] = {}
        self._people = people
        self._drawn: dict[int, list[int]] = {}

    def ask(self, rows: list[int]) -> None:
        """Ask each image once more."""
        for at in rows:
            given = self.said.setdefault(at, [])
            given.append(self._answers(len(given) + 1)[at])

    def _answers(self, nth: int) -> list[int]:
        if nth not in self._drawn:
            people, trial = self._people, self.trial
            said = noisy_answers(people.truth, people.chances, seed=trial.seed, nth=nth)
            self._drawn[nth] = [people.classes.index(said[id]) for id in trial.ids]
        return self._drawn[nth]

    def label(self, at: int) -> int:
        """Return the majority; in a tie the class that was said last."""
        counts = Counter(self.said[at])
        return next(c for c in reversed(self.said[at]) if counts[c] == max(counts.values()))

    def open(self, at: int) -> bool:
        """Tell whether another answer may be asked, as `loop.again` says."""
        said = self.said[at]
        return len(said) < 2 or (len(said) == 2 and said[0] != said[1])


def logits(head: Tensor, features: Tensor) -> Tensor:
    """Return the logits of one head, [D+1,C]."""
    return features @ head[:-1] + head[-1]


def doubted(person: Person, rows: list[int], heads: Tensor, fold: np.ndarray) -> list[int]:
    """Return the rows that may be asked again, the least believed first."""
    found = []
    for place, at in enumerate(rows):
        if person.open(at):
            belief = logits(heads[fold[place]], person.trial.pool[at]).softmax(-1)
            found.append((float(belief[person.label(at)]), at))
    return [at for _, at in sorted(found)]


def loop(
    trials: list[Trial], people: People, answers: int, classes: int, *, q: float, share: float
) -> tuple[dict[int, list[float]], float]:
    """Return macro-F1 of every seed by the number of answers, and the share of wrong labels."""
    persons = [Person(trial, people) for trial in trials]
    rng = [np.random.default_rng(trial.seed) for trial in trials]
    for person in persons:
        person.ask(list(range(BATCH)))
    reached: dict[int, list[float]] = {}
    for number in range(1, answers // BATCH + 1):
        rows = [list(person.said) for person in persons]
        most = max(map(len, rows))
        features = torch.zeros(len(trials), most, trials[0].pool.shape[1])
        targets = torch.zeros(len(trials), 1 + FOLDS, most, classes)
        folds = []
        for i, person in enumerate(persons):
            n = len(rows[i])
            labels = torch.tensor([person.label(at) for at in rows[i]])
            features[i, :n] = person.trial.pool[rows[i]]
            targets[i, :, :n] = functional.one_hot(labels, classes).float()
            folds.append(rng[i].permutation(n) % FOLDS)
            for fold in range(FOLDS):
                targets[i, 1 + fold, :n][torch.from_numpy(folds[i] == fold)] = 0
        repairs = round(share * BATCH) if most >= DOUBTED_FROM else 0
        heads = fit_parts(features, targets if repairs else targets[:, :1], q=q)
        reached[number * BATCH] = [
            macro_f1(trial, logits(head[0], trial.held_out))
            for trial, head in zip(trials, heads, strict=True)
        ]
        if number == answers // BATCH:
            break
        for i, person in enumerate(persons):
            again = doubted(person, rows[i], heads[i, 1:], folds[i])[:repairs] if repairs else []
            pool = [at for at in range(len(person.trial.ids)) if at not in person.said]
            best = logits(heads[i, 0], person.trial.pool[pool]).softmax(-1).topk(2, -1).values
            new = (best[:, 0] - best[:, 1]).argsort()[: BATCH - len(again)]
            person.ask([*again, *(pool[at] for at in new.tolist())])
    wrong = [
        np.mean([person.label(at) != int(person.trial.pool_targets[at]) for at in person.said])
        for person in persons
    ]
    return reached, float(np.mean(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--answers", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--share", type=float, nargs="*", default=[REPAIR])
    given = parser.parse_args()
    torch.set_num_threads(1)
    found, classes = trials(given.words, given.seeds)
    all_trials = [standardised(trial) for trial in found]
    people = People(given.words)
    print(
        "| labels | "
        + " | ".join(f"{n} answers | difference" for n in given.answers)
        + " | wrong |"
    )
    print("| --- " + "| ---: " * (2 * len(given.answers) + 1) + "|", flush=True)
    base = None
    ways = [("off", 0.0, 0.0), ("weigh", DOUBT, 0.0)]
    ways += [(f"weigh, {share:g} asked again", DOUBT, share) for share in given.share]
    for name, q, share in ways:
        reached, wrong = loop(all_trials, people, max(given.answers), classes, q=q, share=share)
        own = [reached[n] for n in given.answers]
        base = own if base is None else base
        print(f"{row(name, own, base)} {100 * wrong:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
