"""`model.training=auto`: frozen, finetuned and their mean compete on the labelled images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from alvision.core import seeding
from alvision.evaluation.intervals import percentiles, resample
from alvision.evaluation.metrics import bootstrap, macro_f1, metric
from alvision.evaluation.outcomes import Outcomes, outcomes_of
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.inference.predictions import SampleId
from alvision.models.pair import HeadPair, TrunkPair
from alvision.training.checkpoint import Model
from alvision.training.classifier import Classifier
from alvision.training.fitter import Fitter

FOLDS = 3
"""Each fold finetunes once more; three leave each network two thirds of the labels."""

FROZEN, FINETUNED, MEAN = "frozen", "finetune", "mean"

Say = Callable[[str], None]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Entry:
    """What a kind of network reached on labelled images that it did not learn.

    Attributes:
        name: `frozen`, `finetune` or `mean`.
        macro_f1: Over all folds together.
        log_loss: Mean over the classes of the mean of -log p of the image's class.
        gain: Its macro-F1 less that of the frozen one.
        low: Lower end of the 95 % interval of the gain, by a bootstrap over the images.
        high: Upper end.
    """

    name: str
    macro_f1: float
    log_loss: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Contest:
    """How the kind of a model was chosen.

    Attributes:
        chosen: `frozen`, `finetune` or `mean`.
        reason: Why, as a sentence.
        images: Labelled images that the three were compared on; 0: there was no contest.
        entries: What each reached; empty where there was no contest.
    """

    chosen: str
    reason: str
    images: int = 0
    entries: tuple[Entry, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "entries": [asdict(entry) for entry in self.entries]}


def no_contest(fitter: Fitter, labels: Mapping[SampleId, str]) -> str | None:
    """Say why a trunk cannot be finetuned for these labels; None where it can.

    Args:
        fitter: Fits the networks.
        labels: Class names by id.
    """
    model = fitter.model
    if fitter.features.backbone is None:
        return "the data are vectors, so there is no trunk to finetune"
    if fitter.features.spec.tiles is not None:
        return "photographs in tiles are learned from the features of their tiles"
    if model.head == "ensemble":
        return "an ensemble is K heads on frozen features"
    if model.engine != "eager":
        return f"model.engine={model.engine} prepares a network once"
    for name in sorted(set(labels.values())):
        groups = {fitter.groups[id] for id, label in labels.items() if label == name}
        if len(groups) < FOLDS:
            return f"{name} is labelled in {len(groups)} groups, and {FOLDS} folds need {FOLDS}"
    return None


def compete(
    fitter: Fitter, labels: Mapping[SampleId, str], *, round: int, say: Say = lambda line: None
) -> tuple[Model, Contest]:
    """Train the kind of network that predicts labelled images best that it did not learn.

    The groups of the labelled images are dealt into three folds, and for each fold a frozen and a
    finetuned network learn from the others; `mean` is the mean of their probabilities. Another one
    than `frozen` must be better by both macro-F1 and log loss: few labels measure either badly.

    Args:
        fitter: Fits the networks.
        labels: Class names by id.
        round: Its number, which the randomness depends on.
        say: Called with a line for the user: what is to come, and how long it will take.

    Returns:
        The model, trained on all labels, and how it was chosen.
    """
    targets = {id: fitter.classes.index(labels[id]) for id in sorted(labels)}
    if reason := no_contest(fitter, labels):
        return fitter.fit_head(targets, round), Contest(FROZEN, f"no contest: {reason}")
    say(
        f"frozen, finetuned and their mean compete on {len(targets)} labelled images: each of "
        f"{FOLDS} folds finetunes once, the winner once more"
    )
    frozen, tuned = _out_of_fold(fitter, targets, round, say)
    mean = ClassProbabilities(frozen.ids, frozen.classes, (frozen.values + tuned.values) / 2)
    said = {FROZEN: frozen, FINETUNED: tuned, MEAN: mean}
    contest = judge({name: outcomes_of(p, labels, classes=p.classes) for name, p in said.items()})
    return _trained(fitter, targets, round, contest.chosen), contest


def judge(said: Mapping[str, Outcomes]) -> Contest:
    """Choose by what each kind said of the same images.

    Args:
        said: Outcomes by name; `frozen` is among them.
    """
    draws = resample(len(said[FROZEN]), resamples=_RESAMPLES)
    known = metric("macro_f1")
    resampled = {name: bootstrap(known, outcomes, draws) for name, outcomes in said.items()}
    base, entries = macro_f1(said[FROZEN]), []
    for name, outcomes in said.items():
        low, high = np.percentile(
            resampled[name] - resampled[FROZEN], percentiles(len(outcomes))
        ).tolist()
        reached = macro_f1(outcomes)
        entries.append(Entry(name, reached, log_loss(outcomes), reached - base, low, high))
    kept = entries[[entry.name for entry in entries].index(FROZEN)]
    better = [e for e in entries if e.macro_f1 > base and e.log_loss < kept.log_loss]
    if not better:
        reason = "no other is better by both macro-F1 and log loss"
        return Contest(FROZEN, reason, len(said[FROZEN]), tuple(entries))
    best = max(better, key=lambda entry: entry.macro_f1)
    reason = f"better than frozen by both macro-F1 ({best.gain:+.3f}) and log loss"
    return Contest(best.name, reason, len(said[FROZEN]), tuple(entries))


def log_loss(outcomes: Outcomes) -> float:
    """Return the mean over the labelled classes of the mean of -log p of the image's class."""
    rows = np.arange(len(outcomes))
    lost = -np.log(outcomes.probabilities[rows, outcomes.truth].clip(min=1e-12))
    return float(np.mean([lost[outcomes.truth == k].mean() for k in np.unique(outcomes.truth)]))


def _out_of_fold(
    fitter: Fitter, targets: Mapping[SampleId, int], round: int, say: Say
) -> tuple[ClassProbabilities, ClassProbabilities]:
    """Predict every readable labelled image by a frozen and a finetuned network of other groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    fitter = fitter.without_callbacks()
    ids, inputs = fitter.features.initial(list(targets))
    goal = np.array([targets[id] for id in ids])
    values = np.full((2, len(ids), len(fitter.classes)), 1 / len(fitter.classes))
    seed = seeding.derive(fitter.seed, round, "contest") % 2**32
    deal = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    groups = [fitter.groups[id] for id in ids]
    begun = time.monotonic()
    for number, (learned, held) in enumerate(deal.split(ids, goal, groups)):
        known = {ids[row]: int(goal[row]) for row in learned}
        head = fitter.fit_head(known, round).module
        net = fitter.fit_net(known, round).module
        if head is None or net is None:
            continue
        values[0, held] = _probabilities(head, inputs[torch.from_numpy(held)])
        row_of = {ids[row]: row for row in held}
        for seen, features in fitter.features.chunks(net.trunk, list(row_of)):
            values[1, [row_of[id] for id in seen]] = _probabilities(net, features)
        if number == 0:
            minutes = (time.monotonic() - begun) / 60
            # The winner learns from half as many images again as a fold's networks.
            left = (FOLDS - 1 + FOLDS / (FOLDS - 1)) * minutes
            say(f"fold 1 of {FOLDS} took {minutes:.1f} minutes; at most {left:.1f} more are left")
    frozen, tuned = (ClassProbabilities(tuple(ids), fitter.classes, part) for part in values)
    return frozen, tuned


def _probabilities(module: Classifier, features: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return module.head.cpu()(features).softmax(dim=-1).numpy()


def _trained(fitter: Fitter, targets: Mapping[SampleId, int], round: int, kind: str) -> Model:
    """Train a network of a kind on all labels."""
    if kind == FROZEN:
        return fitter.fit_head(targets, round)
    tuned = fitter.fit_net(targets, round)
    if kind == FINETUNED or tuned.module is None:
        return tuned
    frozen = fitter.without_callbacks().fit_head(targets, round)
    assert frozen.module is not None
    return Model(fitter.classes, True, mean_of(fitter.new_trunk(), frozen.module, tuned.module))


def mean_of(trunk: nn.Module, frozen: Classifier, tuned: Classifier) -> Classifier:
    """Join a head on a frozen trunk and a finetuned network into one.

    Args:
        trunk: The frozen trunk.
        frozen: Its head; its own trunk is nothing.
        tuned: The finetuned network.
    """
    first, second = frozen.head, tuned.head
    assert not isinstance(first, HeadPair) and not isinstance(second, HeadPair)
    head = HeadPair(first, second)
    return Classifier(TrunkPair(trunk, tuned.trunk), head).eval()
