"""Bugs of published strategies; most forms stand in `faulty`, and the suite refuses them."""

from alvision.acquisition import bald, conformance, entropy, k_center, margin
from tests.acquisition import faulty
from tests.acquisition.faulty import of


def conforms(acquire, folder):
    conformance.check(acquire)


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
    (14, "ProbCover: the last rows can never be picked",
     k_center, faulty.cannot_pick_the_rest, conforms),
    (14, "ProbCover: after full cover one row is picked again and again",
     k_center, faulty.twice_the_same, conforms),
    (15, "GALAXY reads true labels inside a batch",
     of(margin), faulty.reads_true_labels_in_its_batch, conforms),
]  # fmt: skip
"""Number in the list of known bugs, what it is, our form, the faulty form, the test."""
