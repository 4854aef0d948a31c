import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import needs, prob_cover, properties
from alvision.acquisition.prob_cover import pure_radius
from alvision.acquisition.support import ops
from alvision.acquisition.support.clusters import k_means
from alvision.acquisition.testing import conformance
from alvision.inference.predictions import Pick
from tests.support.pools import NOTHING, generator, pool_of


def pick(features, known=None, *, n, **options):
    labelled = NOTHING if known is None or not len(known) else pool_of(features=known)
    return prob_cover(pool_of(features=features), labelled, n=n, rng=generator(), **options)


def newly_covered(features, known, radius, rows):
    """Return the share of rows that each pick newly covers, by the whole matrix in fp64."""
    unit = torch.nn.functional.normalize(torch.cat([features, known]).double(), dim=1)
    within = torch.cdist(unit, unit) <= radius
    covered = within[: len(features), len(features) :].any(1)
    shares = []
    for row in rows:
        fresh = within[: len(features), row] & ~covered
        shares.append(float(fresh.double().mean()))
        covered |= fresh
    return shares


def most_that_can_be(features, known, radius, rows):
    """Return the largest share that any row could have added at each step of the picks."""
    best = []
    for i in range(len(rows)):
        options = (
            newly_covered(features, known, radius, [*rows[:i], row])[-1]
            for row in range(len(features))
        )
        best.append(max(options))
    return best


@settings(max_examples=10, deadline=None)
@given(
    st.integers(1, 16),
    st.integers(0, 3),
    st.sampled_from([0.2, 0.6, 1.1]),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_every_pick_covers_as_much_as_any_could(total, chosen, radius, copies, seed):
    values = torch.randn(total + chosen, 3, generator=generator(seed))
    if copies:
        values = values[torch.randint(len(values), (len(values),), generator=generator(seed))]
    features, known = values[:total], values[total:]
    chosen = pick(features, known, n=total, radius=radius)
    rows = chosen.rows.tolist()
    assert sorted(rows) == list(range(total))
    assert chosen.scores.tolist() == pytest.approx(newly_covered(features, known, radius, rows))
    assert chosen.scores.tolist() == pytest.approx(most_that_can_be(features, known, radius, rows))


def test_tiles_change_nothing(monkeypatch):
    features = torch.randn(100, 4, generator=generator())
    whole = pick(features, features[:3] + 0.1, n=40, radius=0.5)
    monkeypatch.setattr(ops, "_TILE_CPU", 16)
    parts = pick(features, features[:3] + 0.1, n=40, radius=0.5)
    assert torch.equal(whole.rows, parts.rows) and torch.equal(whole.scores, parts.scores)


def test_what_is_left_after_full_cover_is_picked_far_apart():
    features = torch.tensor([[1.0, 0.0], [1.0, 0.05], [1.0, 0.3], [0.0, 1.0]])
    chosen = pick(features, n=4, radius=0.5)
    assert chosen.rows.tolist()[2:] == [2, 0] or chosen.rows.tolist()[:2] != [1, 3]
    assert chosen.scores.tolist() == [0.75, 0.25, 0, 0]


def test_the_radius_is_where_balls_stop_being_pure():
    blob = torch.repeat_interleave(torch.arange(3), 40)
    features = torch.eye(3)[blob] + 0.01 * torch.randn(120, 3, generator=generator())
    unit = torch.nn.functional.normalize(features, dim=1)
    every = torch.cdist(unit.double(), unit.double())
    other = blob[:, None] != blob
    nearest = torch.where(other, every, torch.inf).amin(1)
    assert pure_radius(unit, 3) == pytest.approx(
        float(nearest.quantile(0.05, interpolation="lower")), rel=1e-3
    )


def test_one_cluster_or_copies_alone_have_a_radius_too():
    assert pure_radius(torch.ones(4, 1), 3) == 1.0
    assert pick(torch.ones(4, 2), n=4).rows.tolist() == [0, 1, 2, 3]


@needs("features")
@properties("deterministic")
def blind_to_the_tail(pool, labelled, *, n, rng):
    """Do as the published code does: whole batches of rows only, and the first of no gain."""
    if not 0 <= n <= len(pool):
        raise ValueError(n)
    batch = 500 if len(pool) > 500 else 5
    whole = len(pool) - len(pool) % batch if len(pool) > batch else len(pool)
    within = torch.cdist(pool.features[:whole], pool.features[:whole]) < 1
    rows = []
    for _ in range(n):
        rows.append(int(within.sum(1).argmax()))
        within[:, within[rows[-1]].clone()] = False
    return Pick(torch.tensor(rows, dtype=torch.int64), torch.zeros(n))


def test_a_tail_that_cannot_be_picked_and_the_first_row_again_are_refused():
    with pytest.raises(conformance.ConformanceError, match="breaks 'n unique rows'"):
        conformance.check(blind_to_the_tail)


def test_other_radii_conform_too():
    conformance.check(functools.partial(prob_cover, radius=0.3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"radius": 0.0}, "radius = 0.0: it must be a positive number"),
        ({"radius": float("nan")}, "radius = nan"),
        ({"clusters": 0}, "clusters = 0: it must be 1 or more"),
    ],
)
def test_impossible_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        pick(torch.eye(3), n=1, **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_covered_in_fp32(dtype):
    features = torch.eye(3).repeat_interleave(4, 0).to(dtype)
    assert sorted((pick(features, n=3, radius=0.3).rows // 4).tolist()) == [0, 1, 2]


def test_bad_features_are_named():
    features = torch.eye(4)
    features[3, 1] = float("inf")
    with pytest.raises(ValueError, match=r"pool.features \[4, 4\]: NaN or infinity in row 3"):
        pick(features, n=1)
    with pytest.raises(ValueError, match=r"labelled.features \[2, 3\]: the width differs"):
        pick(torch.eye(4), torch.eye(3)[:2], n=1)


@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("noise", [1e-4, 1e-6, 0.0])
def test_near_copies_leave_no_cluster_empty(n, noise):
    kinds = torch.randn(4, 64, generator=generator()).repeat_interleave(15, 0)
    features = kinds * (1 + noise * torch.randn(60, 64, generator=generator(1)))
    rows = pick(features, n=n).rows.tolist()
    assert len(set(rows)) == n
    assert len({row // 15 for row in rows}) == min(n, 4)
    cluster, centres = k_means(torch.nn.functional.normalize(features, dim=1), 10)
    assert cluster.unique().tolist() == list(range(len(centres)))
