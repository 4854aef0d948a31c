"""Strategies that are wrong in the ways that published code has been wrong, and one that is right.

Each reads like something that somebody would write; `conformance.check` must refuse each.
"""

import functools
import random

import torch

from alvision.acquisition import bald, entropy, k_center, margin, needs, properties, top_k
from alvision.inference.predictions import Pick


def of(score):
    return functools.partial(top_k, score=score)


def highest(scores, n):
    rows = scores.sort(descending=True, stable=True).indices[:n]
    return Pick(rows, scores[rows])


def refuse(n, pool):
    if not 0 <= n <= len(pool):
        raise ValueError(n)


def select(*fields, promises=("deterministic",)):
    """Declare, and refuse an impossible n, so that each fault below is the only one."""

    def wrap(function):
        @functools.wraps(function)
        def acquire(pool, labelled, *, n, rng):
            refuse(n, pool)
            return function(pool, labelled, n=n, rng=rng)

        return needs(*fields)(properties(*promises)(acquire))

    return wrap


@needs("log_probs")
@properties("uncertainty")
def nan_entropy(log_probs):
    p = log_probs.exp().mean(1)
    return -(p * p.log()).sum(-1)


@needs("log_probs")
@properties("uncertainty")
def inverted_margin(log_probs):
    first, second = log_probs.exp().mean(1).topk(2).values.T
    return first - second


@needs("log_probs", "passes")
@properties("disagreement")
def entropy_as_disagreement(log_probs):
    return entropy(log_probs)


@needs("log_probs", "passes")
@properties("disagreement")
def expected_entropy_as_disagreement(log_probs):
    p = log_probs.exp()
    return torch.special.entr(p).sum(-1).mean(1)


@needs("log_probs")
@properties("uncertainty")
def normalised_over_the_pool(log_probs):
    scores = entropy(log_probs)
    return scores / scores.sum().clamp_min(1e-9)


@needs("log_probs")
@properties("uncertainty")
def in_place_entropy(log_probs):
    return torch.special.entr(log_probs.exp_().mean(1)).sum(-1)


@select("log_probs", promises=("uncertainty", "deterministic"))
def mutating(pool, labelled, *, n, rng):
    pick = highest(entropy(pool.log_probs), n)
    pool.log_probs[pick.rows] = 0
    return pick


@select("scores")
def keeps_the_labelled(pool, labelled, *, n, rng):
    rows = torch.arange(n)
    rows[-1:] = 0
    return Pick(rows, torch.zeros(n))


@select("log_probs", promises=("uncertainty", "deterministic"))
def drops_its_best(pool, labelled, *, n, rng):
    scores = entropy(pool.log_probs)
    rows = scores.sort(descending=True, stable=True).indices
    rows = torch.cat([rows[1:], rows[:1]])[:n]
    return Pick(rows, scores[rows])


@select("log_probs", "passes", promises=("disagreement", "deterministic"))
def drops_its_best_disagreement(pool, labelled, *, n, rng):
    scores = bald(pool.log_probs)
    rows = scores.sort(descending=True, stable=True).indices.roll(-1)[:n]
    return Pick(rows, scores[rows])


@select("features")
def starts_at_the_first_row(pool, labelled, *, n, rng):
    features = pool.features
    rows = [0] if len(labelled) == 0 else []
    while len(rows) < n:
        known = torch.cat([labelled.features, features[rows]])
        nearest = torch.cdist(features, known).amin(1)
        nearest[rows] = -1
        rows.append(int(nearest.argmax()))
    return Pick(torch.tensor(rows[:n], dtype=torch.int64), torch.zeros(n))


@select("features", promises=("deterministic", "distance"))
def squared_distances(pool, labelled, *, n, rng):
    pick = k_center(pool, labelled, n=n, rng=rng)
    return Pick(pick.rows, pick.scores.square())


@select("scores")
def cannot_pick_the_rest(pool, labelled, *, n, rng):
    whole = len(pool) - len(pool) % 5
    return highest(pool.scores[:whole], n)


@select("scores")
def twice_the_same(pool, labelled, *, n, rng):
    pick = highest(pool.scores, n)
    return Pick(pick.rows.clamp_max(max(0, len(pool) - 2)), pick.scores)


@select("scores")
def counts_from_one(pool, labelled, *, n, rng):
    pick = highest(pool.scores, n)
    return Pick(pick.rows + 1, pick.scores)


@select("scores")
def more_than_asked(pool, labelled, *, n, rng):
    return highest(pool.scores, min(len(pool), 4 * n))


@select("scores")
def ties_to_the_last_row(pool, labelled, *, n, rng):
    rows = len(pool) - 1 - pool.scores.flip(0).sort(descending=True, stable=True).indices[:n]
    return Pick(rows, pool.scores[rows])


@select(promises=("sampled",))
def global_draw(pool, labelled, *, n, rng):
    return Pick(torch.randperm(len(pool))[:n], torch.zeros(n))


@select(promises=("sampled",))
def python_draw(pool, labelled, *, n, rng):
    rows = random.sample(range(len(pool)), n)
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n))


@select(promises=("sampled",))
def own_draw(pool, labelled, *, n, rng):
    rng.seed()
    return Pick(torch.randperm(len(pool), generator=rng)[:n], torch.zeros(n))


@select(promises=("sampled",))
def ignores_its_generator(pool, labelled, *, n, rng):
    return Pick(torch.arange(n), torch.zeros(n))


@select(promises=("sampled",))
def always_the_first_row(pool, labelled, *, n, rng):
    rows = torch.arange(len(pool))
    rows[1:] = 1 + torch.randperm(max(0, len(pool) - 1), generator=rng)[: len(rows[1:])]
    return Pick(rows[:n], torch.zeros(n))


@select()
def secretly_random(pool, labelled, *, n, rng):
    return Pick(torch.randperm(len(pool), generator=rng)[:n], torch.zeros(n))


@select("scores")
def reads_what_it_did_not_declare(pool, labelled, *, n, rng):
    return highest(pool.features.norm(dim=1), n)


@select("labels", "log_probs")
def classes_from_the_labels_seen(pool, labelled, *, n, rng):
    seen = int(labelled.labels.max()) + 1 if len(labelled) else pool.log_probs.shape[-1]
    p = pool.log_probs.exp().mean(1)
    return highest((p @ torch.eye(seen)).amax(1), n)


@select("log_probs", "labels", promises=("uncertainty", "deterministic"))
def reads_true_labels_in_its_batch(pool, labelled, *, n, rng):
    p = pool.log_probs.exp().mean(1)
    return highest(1 - p.gather(1, pool.labels[:, None])[:, 0], n)


@select("log_probs", promises=("uncertainty", "sampled"))
def draws_the_certain(pool, labelled, *, n, rng):
    scores = (1 - margin(pool.log_probs)).log()
    noise = -torch.rand(len(pool), generator=rng).log()
    return Pick(highest(scores - noise.log(), n).rows, torch.zeros(n))


@select("scores")
def ranks_of_a_subset(pool, labelled, *, n, rng):
    subset = torch.randperm(len(pool), generator=rng)[: max(n, len(pool) // 2)]
    return highest(pool.scores[subset], n)


@select("features")
def divides_by_a_length_of_zero(pool, labelled, *, n, rng):
    unit = pool.features / pool.features.norm(dim=1, keepdim=True)
    return highest((unit @ unit.T).sum(1), n)


@needs("scores")
def beyond_the_pool(pool, labelled, *, n, rng):
    return highest(pool.scores, n)


@select("scores")
def certain_of_everything(pool, labelled, *, n, rng):
    return Pick(highest(pool.scores, n).rows, torch.ones(n), propensity=torch.ones(n))


@select("scores")
def one_slot_for_all(pool, labelled, *, n, rng):
    pick = highest(pool.scores, n)
    return Pick(pick.rows, pick.scores, slots=("mine",))


@select(promises=("sampled",))
def counts_its_chances(pool, labelled, *, n, rng):
    rows = torch.randperm(len(pool), generator=rng)[:n]
    return Pick(rows, torch.zeros(n), propensity=torch.arange(n).float())


@select(promises=("deterministic", "distance"))
def distance_to_nothing(pool, labelled, *, n, rng):
    return Pick(torch.arange(len(pool))[:n], torch.zeros(n))


FAULTS = [
    (of(nan_entropy), "one finite score a row"),
    (of(inverted_margin), "a coin flip outranks certainty"),
    (of(entropy_as_disagreement), "passes that disagree|a coin flip in all passes scores 0"),
    (of(expected_entropy_as_disagreement), "passes that disagree outrank"),
    (of(normalised_over_the_pool), "a score is row-independent"),
    (of(in_place_entropy), "inputs are not mutated"),
    (mutating, "inputs are not mutated"),
    (keeps_the_labelled, "n unique rows"),
    (drops_its_best, "n = 1 picks row"),
    (drops_its_best_disagreement, "passes that disagree outrank passes that agree"),
    (starts_at_the_first_row, "permutation equivariant"),
    (squared_distances, "distance to the nearest"),
    (distance_to_nothing, "permutation equivariant"),
    (cannot_pick_the_rest, "n unique rows"),
    (twice_the_same, "n unique rows"),
    (counts_from_one, "rows are in range"),
    (more_than_asked, "n unique rows"),
    (ties_to_the_last_row, "ties go to the lowest row"),
    (global_draw, "the global random state is untouched"),
    (python_draw, "the same generator gives the same pick"),
    (own_draw, "the same generator gives the same pick"),
    (ignores_its_generator, "draws with its generator"),
    (always_the_first_row, "equal in distribution"),
    (secretly_random, "deterministic: any generator"),
    (reads_what_it_did_not_declare, "reading the declared fields only"),
    (classes_from_the_labels_seen, "works on any pool"),
    (reads_true_labels_in_its_batch, "works on any pool"),
    (draws_the_certain, "a coin flip outranks certainty"),
    (ranks_of_a_subset, "deterministic: permutation equivariant"),
    (divides_by_a_length_of_zero, "one finite score a pick"),
    (beyond_the_pool, "refuses n outside"),
    (certain_of_everything, "a deterministic pick has no propensity"),
    (one_slot_for_all, "one slot a pick"),
    (counts_its_chances, "a propensity is in"),
]


@select("log_probs", promises=("uncertainty", "deterministic"))
def right(pool, labelled, *, n, rng):
    return highest(margin(pool.log_probs), n)
