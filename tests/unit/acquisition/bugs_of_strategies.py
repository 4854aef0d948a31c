"""Bugs of published strategies; most forms stand in `faulty`, and the suite refuses them."""

import torch

from alvision.acquisition import bald, entropy, k_center, margin, typiclust
from alvision.acquisition.testing import conformance
from alvision.inference.predictions import Pick
from tests.support.pools import NOTHING, generator, pool_of
from tests.unit.acquisition import faulty
from tests.unit.acquisition.faulty import of


def conforms(acquire, folder):
    conformance.check(acquire)


def a_rare_kind_is_asked_for(acquire, folder):
    """Of two common kinds and one of four images, three picks must see each."""
    kinds = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    which = torch.tensor([0] * 20 + [1] * 20 + [2] * 4)
    features = kinds[which] + torch.randn(44, 3, generator=generator()) / 10
    rows = acquire(pool_of(features=features), NOTHING, n=3, rng=generator()).rows
    assert set(which[rows].tolist()) == {0, 1, 2}


@faulty.select("features")
def clusters_of_five_or_fewer_are_thrown_away(pool, labelled, *, n, rng):
    near = torch.cdist(pool.features, pool.features) < 5
    large = near.sum(1) > 5
    rows, covered = [], torch.zeros(len(pool), dtype=torch.bool)
    for row in large.nonzero().flatten().tolist():
        if len(rows) < n and not covered[row]:
            rows.append(row)
            covered |= near[row]
    rows += [row for row in large.nonzero().flatten().tolist() if row not in rows]
    return Pick(torch.tensor(rows[:n], dtype=torch.int64), torch.zeros(n))


BUGS = [
    (1, "Baal: BatchBALD drops its best pick",
     of(bald), faulty.drops_its_best_disagreement, conforms),
    (3, "small-text: a core-set returns more rows than were asked for",
     k_center, faulty.more_than_asked, conforms),
    (4, "modAL: disagreement that ranks aleatoric entropy",
     of(bald), of(faulty.expected_entropy_as_disagreement), conforms),
    (6, "Baal: power sampling that favours the certain",
     of(margin), faulty.draws_the_certain, conforms),
    (6, "Baal: power sampling without a seed",
     of(margin), faulty.python_draw, conforms),
    (10, "log(0) gives NaN",
     of(entropy), of(faulty.nan_entropy), conforms),
    (12, "k-center's cold start always takes row 0",
     k_center, faulty.starts_at_the_first_row, conforms),
    (13, "TypiClust: clusters of five images or fewer are thrown away",
     typiclust, clusters_of_five_or_fewer_are_thrown_away, a_rare_kind_is_asked_for),
    (14, "ProbCover: the last rows can never be picked",
     k_center, faulty.cannot_pick_the_rest, conforms),
    (14, "ProbCover: after full cover one row is picked again and again",
     k_center, faulty.twice_the_same, conforms),
    (15, "GALAXY reads true labels inside a batch",
     of(margin), faulty.reads_true_labels_in_its_batch, conforms),
]  # fmt: skip
"""Number in the list of known bugs, what it is, our form, the faulty form, the test."""
