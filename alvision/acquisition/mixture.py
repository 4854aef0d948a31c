"""Strategies made of strategies: shares of a batch, and a batch that is fair to rare classes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from alvision.acquisition.contract import (
    needs,
    needs_of,
    properties_of,
    scores_inside,
)
from alvision.acquisition.support.ops import (
    check_count,
    check_scores,
    features_of,
    field,
    known_features,
    labels_of,
    log_probs_of,
    map_rows,
    take,
)
from alvision.inference.predictions import Acquire, Pick, Predictions


@needs()
def mixture(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    parts: Mapping[str, Acquire],
    weights: Mapping[str, float | int],
) -> Pick:
    """Give each part its share of the batch: one part after the other, each from what is left.

    Parts that draw go first, and of those the ones that read nothing: so a part that draws at
    random draws from the whole pool, and what it finds speaks of the whole pool.

    Part i gets w_i·n / sum w rows, rounded up or down so that they are n together: by chance, with
    that share as its mean, if a part draws with the generator, and else by largest remainder. What
    earlier parts took counts as labelled for the later ones, with features and log_probs but
    without a class, which nobody knows yet; a part that reads labels sees the labelled images only.
    The usual recipe of a shop that wants to learn fast and yet see what it does not look for (a
    share drawn at random shows new defects and gives unbiased estimates).

    A pick's slot is its part's name, its score the part's own, so scores compare within a slot
    only. Its propensity is its part's, the chance among the rows that parts before it left, and NaN
    for a part that has none. Picks are in the order of the parts. Reads what any part reads;
    where the parts' scores differ they are computed from log_probs. Cost and memory are the parts'
    together, and a copy of the pool's fields.

    Use it where no single strategy is right for the whole campaign. It loses to the best of its
    parts wherever that is known.

    Args:
        pool: The images to choose from.
        labelled: The images with labels.
        n: Number of picks.
        rng: Randomness.
        parts: Strategies by name.
        weights: Each part's share of the batch, in any unit.

    Raises:
        ValueError: Weights do not fit the parts, or are negative or all 0; n is negative or larger
            than the pool; or what a part raises.

    >>> from functools import partial
    >>> from alvision.acquisition import entropy, random_sampling, top_k
    >>> parts = {"entropy": partial(top_k, score=entropy), "random": random_sampling}
    >>> pool = Predictions(("a", "b", "c"), scores=torch.tensor([0.1, 0.9, 0.2]))
    >>> acquire = partial(mixture, parts=parts, weights={"entropy": 0.5, "random": 0.5})
    >>> pick = acquire(pool, Predictions(()), n=2, rng=torch.Generator().manual_seed(0))
    >>> pick.slots, int(pick.rows[0]), pick.propensity
    (('entropy', 'random'), 1, tensor([   nan, 0.3333]))
    """
    check_count(n, pool)
    parts, weights = dict(parts), dict(weights)
    itself = functools.partial(mixture, parts=parts, weights=weights)
    _check_fields(needs_of(itself), pool, labelled)  # needs_of checks the weights too
    drawn = any("sampled" in properties_of(part) for part in parts.values())
    shares = _counts(n, [weights[name] for name in parts], rng if drawn else None)
    inside = scores_inside(itself)
    # Fused scores are one part's only; the others' are computed from log_probs, and so are its own.
    made = pool if len(inside) <= 1 else dataclasses.replace(pool, scores=None)
    counts = {name: count for name, count in zip(parts, shares, strict=True) if count}
    picks: dict[str, Pick] = {}
    taken = torch.empty(0, dtype=torch.int64)
    for name in sorted(counts, key=lambda name: _turn(parts[name])):
        part, count = parts[name], counts[name]
        left = _others(len(pool), taken)
        here = take(made, left) if len(taken) else made
        known = labelled if "labels" in needs_of(part) else _joined(labelled, made, taken)
        pick = part(here, known, n=count, rng=rng)
        picks[name] = dataclasses.replace(pick, rows=left.to(pick.rows.device)[pick.rows])
        taken = torch.cat([taken, picks[name].rows.cpu()])
    slots = tuple(name for name, count in counts.items() for _ in range(count))
    return dataclasses.replace(together([picks[name] for name in counts]), slots=slots)


@needs("log_probs", "labels")
def class_balanced(
    pool: Predictions,
    labelled: Predictions,
    *,
    n: int,
    rng: torch.Generator,
    strategy: Acquire,
) -> Pick:
    """Let a strategy pick among the images predicted as the classes that have the fewest labels.

    Each pick is given to the class with the fewest labels so far (those given in this batch
    included) of which the model still sees images in the pool, the lowest of equals; then the
    strategy picks each class's number among the images predicted as that class. The idea of
    Bengar, van de Weijer, Fuentes and Raducanu, arXiv 2110.01928, with counts in place of their
    optimisation. True labels are read of labelled images only, and the number of classes is the
    model's. Scores, slots and propensities are the strategy's, the latter given the class. Cost
    O(N·K·C) and the strategy's.

    Use it for rare defects, once a few of each are labelled: random and uncertainty sampling then
    fill the batch with what is plentiful. It believes the model's predictions, so while those are
    poor it spreads the batch over wrong guesses, and classes that matter little get as many labels
    as those that matter much.

    Args:
        pool: The images to choose from.
        labelled: The images with labels.
        n: Number of picks.
        rng: Randomness.
        strategy: What picks within a class.

    Raises:
        ValueError: No image is labelled; labels are no classes of the model; log_probs are missing
            or do not sum to one; n is negative or larger than the pool; or what the strategy
            raises.

    >>> from functools import partial
    >>> from alvision.acquisition import random_sampling
    >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])[:, None]
    >>> pool = Predictions(("a", "b", "c"), log_probs=p.log())
    >>> labelled = Predictions(("x", "y"), labels=torch.tensor([0, 0]))
    >>> acquire = partial(class_balanced, strategy=random_sampling)
    >>> acquire(pool, labelled, n=1, rng=torch.Generator()).rows
    tensor([2])
    """
    check_count(n, pool)
    itself = functools.partial(class_balanced, strategy=strategy)
    log_probs = _check_fields(needs_of(itself), pool, labelled)
    classes = log_probs.shape[-1]
    known = labels_of(labelled, classes).bincount(minlength=classes).tolist()
    # Whole numbers up to 2^24 are exact in the scores' type.
    predicted = map_rows(log_probs, lambda p, _: p.mean(1).argmax(1).to(p.dtype)).long()
    left = predicted.bincount(minlength=classes).tolist()
    given = [0] * classes
    for _ in range(n):
        few = min((known[c] + given[c], c) for c in range(classes) if left[c])[1]
        given[few] += 1
        left[few] -= 1
    picks = []
    for number in sorted(range(classes), key=known.__getitem__):
        if given[number]:
            rows = (predicted == number).nonzero().flatten()
            pick = strategy(take(pool, rows), labelled, n=given[number], rng=rng)
            picks.append(dataclasses.replace(pick, rows=rows.to(pick.rows.device)[pick.rows]))
    return together(picks)


def _check_fields(read: frozenset[str], pool: Predictions, labelled: Predictions) -> Tensor:
    """Check what the parts read, before they see parts of it and count its rows anew.

    Returns:
        The pool's log_probs, or an empty tensor if they are not read.
    """
    log_probs = log_probs_of(pool, "pool") if "log_probs" in read else torch.empty(0)
    if "scores" in read and (pool.scores is not None or pool.log_probs is None):
        check_scores(field(pool, "scores", "pool"), "pool.scores")
    if "novelty" in read:
        check_scores(field(pool, "novelty", "pool"), "pool.novelty")
    if "features" in read:
        known_features(labelled, features_of(pool, "pool"))
    if "labels" in read:
        labels_of(labelled)
    return log_probs


def together(picks: list[Pick]) -> Pick:
    """Join picks of one pool; a pick without propensities has NaN beside others' that have."""
    if not picks:
        return Pick(torch.empty(0, dtype=torch.int64), torch.empty(0))
    scores = torch.cat([pick.scores.float() for pick in picks])
    chances = None
    if any(pick.propensity is not None for pick in picks):
        chances = torch.cat(
            [
                torch.full_like(pick.scores, torch.nan, dtype=torch.float32)
                if pick.propensity is None
                else pick.propensity.float()
                for pick in picks
            ]
        )
    slots = None
    if all(pick.slots is not None for pick in picks):
        slots = tuple(slot for pick in picks for slot in pick.slots or ())
    return Pick(torch.cat([pick.rows for pick in picks]), scores, slots, chances)


def _counts(n: int, weights: list[float | int], rng: torch.Generator | None) -> list[int]:
    """Share n among the parts: exact on average by chance, or by largest remainder."""
    exact = torch.tensor(weights, dtype=torch.float64)
    exact = n * exact / exact.sum()
    whole = (exact + 1e-9).floor()
    rest = (exact - whole).clamp_min(0)
    missing = n - int(whole.sum())
    if rng is None:
        more = torch.zeros_like(whole)
        more[rest.sort(descending=True, stable=True).indices[:missing]] = 1
    else:
        # One uniform number for all: a part is rounded up where it steps over the next integer.
        start = torch.rand(1, generator=rng, dtype=torch.float64, device=rng.device).cpu()
        ends = rest.cumsum(0)
        ends[-1] = missing
        more = (ends + start).floor().diff(prepend=torch.zeros(1, dtype=torch.float64))
    return (whole + more).long().tolist()


def _turn(part: Acquire) -> int:
    """Return when a part picks: draws from the whole pool, then other draws, then the rest."""
    if "sampled" not in properties_of(part):
        return 2
    return 1 if needs_of(part) else 0


def _others(total: int, taken: Tensor) -> Tensor:
    left = torch.ones(total, dtype=torch.bool)
    left[taken] = False
    return left.nonzero().flatten()


def _joined(labelled: Predictions, pool: Predictions, rows: Tensor) -> Predictions:
    """Return the labelled images and rows of the pool, with the fields that both have."""
    if not len(rows):
        return labelled
    more = take(pool, rows)
    fields: dict[str, Any] = {}
    for name in ("features", "log_probs"):
        theirs, ours = getattr(labelled, name), getattr(more, name)
        if ours is not None and (theirs is not None or not len(labelled)):
            fields[name] = ours if theirs is None else torch.cat([theirs, ours.to(theirs)])
    return Predictions((*labelled.ids, *more.ids), **fields)
