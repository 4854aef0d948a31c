"""Bugs of published batch strategies, against brute force."""

import functools

import torch

from alvision.acquisition import badge, batch_bald, k_center, margin, power_sampling
from alvision.inference.predictions import Pick
from tests.support.pools import NOTHING, generator, pool_of
from tests.unit.acquisition.faulty import highest, select
from tests.unit.acquisition.joint import greedy, information


def attains_what_greedy_attains(acquire, folder):
    for seed in range(3):
        values = (2 * torch.randn(12, 10, 3, generator=generator(seed))).log_softmax(-1)
        pick = acquire(pool_of(log_probs=values), NOTHING, n=5, rng=generator())
        _, gains = greedy(values.exp(), 5)
        assert information(values.exp()[pick.rows]) > 0.998 * sum(gains)


@select("log_probs", "passes", promises=("disagreement",))
def drops_its_first_pick(pool, labelled, *, n, rng):
    pick = batch_bald(pool, labelled, n=min(n + 1, len(pool)), rng=rng)
    return Pick(pick.rows[-n:], pick.scores[-n:])


@select("log_probs", "passes", promises=("disagreement",))
def samples_as_few_labels_as_passes(pool, labelled, *, n, rng):
    p, rows = pool.log_probs.exp(), []
    for _ in range(n):
        drawn = torch.ones(p.shape[1], p.shape[1])
        for row in rows:
            label = torch.multinomial(p[row], 1, generator=generator(row))[:, 0]
            drawn = drawn * p[row].T[label]
        posterior = drawn / drawn.sum(1, keepdim=True)
        mixed = torch.einsum("mk,nkc->mnc", posterior, p)
        gain = torch.special.entr(mixed).sum(-1).mean(0) - torch.special.entr(p).sum(-1).mean(1)
        gain[rows] = -torch.inf
        rows.append(int(gain.argmax()))
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n))


def draws_the_unsure(acquire, folder):
    p = torch.tensor([[0.998, 0.002], [0.55, 0.45]])[:, None]
    pool = pool_of(log_probs=p.log(), features=torch.ones(2, 3))
    first = [int(acquire(pool, NOTHING, n=1, rng=generator(seed)).rows) for seed in range(20)]
    assert sum(first) > 15


@select("log_probs", "features", promises=("sampled",))
def longest_where_certain(pool, labelled, *, n, rng):
    # The factor of the likeliest class is p, where it must be 1 - p.
    lengths = pool.log_probs.exp().mean(1).amax(1) * pool.features.norm(dim=1)
    rows = torch.multinomial(lengths, n, generator=rng) if n else torch.zeros(0).long()
    return Pick(rows, lengths[rows])


def draws_the_doubtful(acquire, folder):
    p = torch.tensor([[0.99, 0.01], [0.5, 0.5], [0.97, 0.03]])[:, None]
    pool = pool_of(scores=margin(p.log()), log_probs=p.log())
    first = [int(acquire(pool, NOTHING, n=1, rng=generator(seed)).rows) for seed in range(20)]
    assert first.count(1) > 15


@select("log_probs", promises=("sampled",))
def draws_by_the_gap(pool, labelled, *, n, rng):
    best = pool.log_probs.exp().mean(1).topk(2).values
    rows = torch.multinomial(best[:, 0] - best[:, 1] + 1e-9, n, generator=rng)
    return Pick(rows, torch.zeros(n))


def returns_what_was_asked_for(acquire, folder):
    pool = pool_of(features=torch.randn(400, 4, generator=generator()))
    rows = acquire(pool, NOTHING, n=10, rng=generator()).rows.tolist()
    assert len(rows) == len(set(rows)) == 10
    assert max(rows) >= 100


@select("features")
def a_core_set_of_the_first_block(pool, labelled, *, n, rng):
    return highest(pool.features[:100].norm(dim=1), min(4 * n, len(pool)))


def starts_anywhere(acquire, folder):
    features = torch.randn(20, 3, generator=generator())
    starts = []
    for shift in range(3):
        pool = pool_of(features=features.roll(shift, 0))
        starts.append((int(acquire(pool, NOTHING, n=2, rng=generator()).rows[0]) - shift) % 20)
    assert len(set(starts)) == 1


@select("features")
def a_cold_start_that_is_never_reached(pool, labelled, *, n, rng):
    known = (
        labelled if labelled is not None and len(labelled) else pool_of(features=pool.features[:1])
    )
    rest = k_center(pool, known, n=n - 1, rng=rng)
    return Pick(torch.cat([torch.tensor([0]), rest.rows]), torch.zeros(n))


BUGS = [
    (1, "Baal: BatchBALD drops its best pick, by its joint information",
     batch_bald, drops_its_first_pick, attains_what_greedy_attains),
    (2, "small-text: BADGE with its uncertainty inverted",
     badge, longest_where_certain, draws_the_unsure),
    (3, "small-text: LightweightCoreset returns 40 of the first 100 for 10 of 400",
     k_center, a_core_set_of_the_first_block, returns_what_was_asked_for),
    (6, "Baal: power sampling with margin draws the certain",
     functools.partial(power_sampling, score=margin), draws_by_the_gap, draws_the_doubtful),
    (12, "k-center's cold start is never reached",
     k_center, a_cold_start_that_is_never_reached, starts_anywhere),
    (20, "BatchBALD's joint entropy from as many samples as passes",
     batch_bald, samples_as_few_labels_as_passes, attains_what_greedy_attains),
]  # fmt: skip
"""Number in the list of known bugs, what it is, our form, the faulty form, the test."""
