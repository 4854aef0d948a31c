import functools
import math

import pytest
import torch

from alvision.acquisition import (
    bald,
    class_balanced,
    entropy,
    k_center,
    margin,
    max_herding,
    mixture,
    name_of,
    needs,
    needs_of,
    parts_of,
    power_sampling,
    properties,
    properties_of,
    random_sampling,
    score_of,
    similar_to_defects,
    top_k,
    uncertainty_herding,
)
from alvision.acquisition.testing import conformance
from alvision.inference.predictions import Pick, Predictions
from tests.support.pools import NOTHING, generator, ids, pool_of

MARGIN = functools.partial(top_k, score=functools.partial(margin))
ENTROPY = functools.partial(top_k, score=entropy)
HERDING = functools.partial(uncertainty_herding, score=margin)


def mixed(weights=None, **parts):
    weights = weights or dict.fromkeys(parts, 1.0)
    return functools.partial(mixture, parts=parts, weights=weights)


def balanced(strategy):
    return functools.partial(class_balanced, strategy=strategy)


def everything(n=30, seed=0):
    log_probs = torch.randn(n, 3, 4, generator=generator(seed)).log_softmax(-1)
    return pool_of(
        log_probs=log_probs,
        features=torch.randn(n, 5, generator=generator(seed)),
        scores=margin(log_probs),
    )


def test_declarations_are_seen_through_mixtures_and_wrappers():
    acquire = mixed(margin=MARGIN, herding=HERDING, random=random_sampling)
    assert needs_of(acquire) == {"scores", "features"}
    assert score_of(acquire) is MARGIN.keywords["score"]
    assert properties_of(acquire) == {"sampled"}
    assert list(parts_of(acquire)) == ["margin", "herding", "random"]
    assert name_of(acquire) == (
        "mixture(margin=top_k(score=margin), herding=uncertainty_herding(score=margin), "
        "random=random_sampling)"
    )
    wrapped = balanced(acquire)
    assert needs_of(wrapped) == {"scores", "features", "log_probs", "labels"}
    assert score_of(wrapped) is score_of(acquire)
    assert properties_of(wrapped) == {"sampled"}
    assert properties_of(mixed(margin=MARGIN, centre=k_center)) == {"deterministic"}


def test_scores_that_differ_are_not_fused_into_the_pass():
    acquire = mixed(margin=MARGIN, bald=functools.partial(top_k, score=bald), herding=max_herding)
    assert needs_of(acquire) == {"log_probs", "passes", "features"}
    assert score_of(acquire) is None
    # The same function with another argument is another score.
    other = functools.partial(top_k, score=functools.partial(margin, temperature=2))
    assert score_of(mixed(a=MARGIN, b=other)) is None
    nested = mixed(inner=mixed(a=MARGIN, b=ENTROPY), margin=MARGIN)
    assert needs_of(nested) == {"log_probs"}


def test_a_part_never_reads_the_score_of_another():
    pool = everything()
    acquire = mixed(margin=MARGIN, entropy=ENTROPY)
    picked = acquire(pool, NOTHING, n=6, rng=generator())
    first = top_k(pool, NOTHING, n=3, rng=generator(), score=margin).rows
    assert picked.rows[:3].tolist() == first.tolist()
    best = entropy(pool.log_probs)
    best[first] = -1
    assert picked.rows[3:].tolist() == best.topk(3).indices.tolist()


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="weights for nothing, parts missing"):
        needs_of(functools.partial(mixture, parts={}, weights={}))


def test_a_later_part_takes_what_is_left_and_knows_what_was_taken():
    features = torch.eye(3).repeat_interleave(4, 0)
    pool = pool_of(features=features, scores=torch.arange(12.0).flip(0))
    picked = mixed(top=MARGIN, centre=k_center)(pool, NOTHING, n=4, rng=generator())
    assert picked.rows.tolist()[:2] == [0, 1]
    assert sorted((picked.rows // 4).tolist()[2:]) == [1, 2]
    assert picked.slots == ("top", "top", "centre", "centre")
    assert picked.propensity is None
    labelled = pool_of(features=features[4:5], labels=torch.tensor([1]))
    picked = mixed(top=MARGIN, centre=k_center)(pool, labelled, n=3, rng=generator())
    assert (picked.rows // 4).tolist() == [0, 0, 2]


def test_a_part_that_reads_labels_sees_none_that_nobody_gave():
    seen = []

    @needs("labels", "features")
    @properties("deterministic")
    def spy(pool, labelled, *, n, rng):
        seen.append((pool.labels, labelled.labels.tolist()))
        return k_center(pool, labelled, n=n, rng=rng)

    pool = everything()
    labelled = pool_of(features=torch.zeros(2, 5), labels=torch.tensor([2, 0]))
    mixed(margin=MARGIN, spy=spy)(pool, labelled, n=6, rng=generator())
    assert seen == [(None, [2, 0])]


def test_shares_are_exact_on_average_and_rounded_to_n():
    acquire = mixed({"a": 70, "b": 20, "c": 10}, a=MARGIN, b=max_herding, c=random_sampling)
    pool, count = everything(), torch.zeros(3)
    for seed in range(60):
        slots = acquire(pool, NOTHING, n=4, rng=generator(seed)).slots
        assert len(slots) == 4 and slots.count("a") in (2, 3) and slots.count("b") in (0, 1)
        count += torch.tensor([slots.count(name) for name in "abc"])
    # A share of a binomial at most: five standard deviations.
    torch.testing.assert_close(count / 60, torch.tensor([2.8, 0.8, 0.4]), atol=0.33, rtol=0)
    fixed = mixed({"a": 2, "b": 1}, a=MARGIN, b=max_herding)
    assert fixed(pool, NOTHING, n=4, rng=generator()).slots == ("a", "a", "a", "b")


def test_a_propensity_is_the_parts_own_and_absent_for_a_fixed_part():
    acquire = mixed({"margin": 2, "random": 2}, margin=MARGIN, random=random_sampling)
    chances = acquire(everything(10), NOTHING, n=4, rng=generator()).propensity.tolist()
    assert [math.isnan(chance) for chance in chances] == [True, True, False, False]
    assert chances[2:] == pytest.approx([1 / 10, 1 / 9])


@pytest.mark.slow
@pytest.mark.parametrize(
    "other", [MARGIN, functools.partial(power_sampling, score=margin)], ids=["top_k", "power"]
)
def test_a_share_drawn_at_random_estimates_the_whole_pool_without_bias(other):
    acquire, pool = (
        mixed({"other": 1, "random": 1}, other=other, random=random_sampling),
        everything(6),
    )
    # The images that uncertainty takes first are just the defects.
    worst = pool.scores.sort(descending=True).indices[:2]
    defect = torch.zeros(6).index_fill_(0, worst, 1.0)
    estimates = []
    for seed in range(500):
        pick = acquire(pool, NOTHING, n=4, rng=generator(seed))
        first = pick.slots.index("random")
        estimates.append(float(defect[pick.rows[first]] / pick.propensity[first] / 6))
    # Horvitz and Thompson; four standard errors.
    assert sum(estimates) / 500 == pytest.approx(2 / 6, abs=4 * 0.471 / 500**0.5)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"a": 1.0}, "weights for a, parts a, b: each part needs one weight"),
        ({"a": 1.0, "c": 1.0}, "weights for a, c, parts a, b"),
        ({"a": -1.0, "b": 1.0}, "weights a -1.0, b 1.0: they must be 0 or more"),
        ({"a": 0, "b": 0}, "not all 0"),
        ({"a": float("nan"), "b": 1}, "weights a nan"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_any_work(weights, said):
    acquire = functools.partial(mixture, parts={"a": MARGIN, "b": random_sampling}, weights=weights)
    with pytest.raises(ValueError, match=said):
        needs_of(acquire)
    with pytest.raises(ValueError, match=said):
        acquire(everything(), NOTHING, n=1, rng=generator())


@pytest.mark.slow
@pytest.mark.parametrize(
    "acquire",
    [
        mixed(margin=MARGIN, entropy=ENTROPY, centre=k_center),
        mixed({"a": 1, "b": 0}, a=random_sampling, b=MARGIN),
        balanced(random_sampling),
        balanced(k_center),
    ],
    ids=name_of,
)
def test_other_compositions_conform_too(acquire):
    conformance.check(acquire)


def predicted(*classes, count=3):
    p = torch.full((len(classes), count), 0.1)
    p[torch.arange(len(classes)), torch.tensor(classes)] = 1 - 0.1 * (count - 1)
    return p[:, None].log()


def test_the_classes_with_the_fewest_labels_come_first():
    pool = pool_of(log_probs=predicted(0, 0, 0, 0, 1, 1, 2))
    labelled = pool_of(labels=torch.tensor([0] * 5 + [1] * 2))
    pick = balanced(ENTROPY)(pool, labelled, n=4, rng=generator())
    # Class 2 has no label and one image; then class 1 until it has as many as there are left.
    assert pick.rows.tolist() == [6, 4, 5, 0]


def test_the_number_of_classes_is_the_models_and_not_that_of_the_labels_seen():
    pool = pool_of(log_probs=predicted(0, 3, count=4))
    pick = balanced(ENTROPY)(pool, pool_of(labels=torch.tensor([0])), n=1, rng=generator())
    assert pick.rows.tolist() == [1]


def test_labels_that_are_no_classes_and_none_at_all_are_refused():
    pool = pool_of(log_probs=predicted(0, 1))
    with pytest.raises(ValueError, match=r"labelled.labels \[1\]: classes count from 0 to 2"):
        balanced(ENTROPY)(pool, pool_of(labels=torch.tensor([3])), n=1, rng=generator())
    with pytest.raises(ValueError, match=r"labelled \[0\]: no image is labelled"):
        balanced(ENTROPY)(pool, NOTHING, n=1, rng=generator())


@needs("log_probs", "labels")
@properties("deterministic")
def reads_the_truth(pool, labelled, *, n, rng):
    """Do as the published code does: look up the true class of each image inside the batch."""
    if not 0 <= n <= len(pool):
        raise ValueError(n)
    counts = labelled.labels.bincount(minlength=pool.log_probs.shape[-1])
    rows = []
    for _ in range(n):
        left = [row for row in range(len(pool)) if row not in rows]
        rows.append(min(left, key=lambda row: (counts[pool.labels[row]], row)))
        counts[pool.labels[rows[-1]]] += 1
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n))


def test_reading_true_labels_inside_a_batch_is_refused():
    with pytest.raises(conformance.ConformanceError, match="works on any pool, reading"):
        conformance.check(reads_the_truth)


def labelled_as(features, labels, defects=(1,)):
    return Predictions(
        ids(len(labels)), features=features, labels=torch.tensor(labels), defects=defects
    )


def test_what_is_like_a_defect_comes_first_and_what_is_like_the_good_last():
    good, bad, new = torch.eye(3)
    pool = pool_of(features=torch.stack([good, new, bad, good + 0.1, bad + 0.05]))
    labelled = labelled_as(torch.stack([good, bad]), [0, 1])
    pick = similar_to_defects(pool, labelled, n=5, rng=generator())
    assert pick.rows.tolist() == [2, 4, 1, 3, 0]
    assert pick.scores.tolist() == sorted(pick.scores.tolist(), reverse=True)
    assert ((pick.scores >= 0) & (pick.scores <= 1)).all()


def test_with_no_defect_found_the_least_known_comes_first():
    good, _, new = torch.eye(3)
    pool = pool_of(features=torch.stack([good, new]))
    pick = similar_to_defects(pool, labelled_as(good[None], [0]), n=1, rng=generator())
    assert pick.rows.tolist() == [1]


def test_several_classes_may_be_defects():
    features = torch.eye(4)
    labelled = labelled_as(features[:3], [0, 1, 2], defects=(1, 2))
    pool = pool_of(features=features)
    picked = similar_to_defects(pool, labelled, n=2, rng=generator()).rows
    assert sorted(picked.tolist()) == [1, 2]


def test_similarity_needs_labels_and_to_know_the_defects():
    pool = pool_of(features=torch.eye(2))
    with pytest.raises(ValueError, match=r"labelled \[0\]: no image is labelled"):
        similar_to_defects(pool, NOTHING, n=1, rng=generator())
    with pytest.raises(ValueError, match=r"labelled.defects is missing.*defects=\[...\]"):
        similar_to_defects(pool, labelled_as(torch.eye(2), [0, 1], None), n=1, rng=generator())
