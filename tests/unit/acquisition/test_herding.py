import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import entropy, herding, max_herding, uncertainty_herding
from alvision.acquisition.support import coverage, ops
from alvision.acquisition.support.geometry import kernel_width, representatives
from tests.support.pools import NOTHING, generator, pool_of


def kernel_of(features, known, width):
    """Return the dense kernel between all rows and the chosen, in fp64."""
    every = torch.nn.functional.normalize(torch.cat([features, known]).double(), dim=1)
    return (-(torch.cdist(every, every[len(features) :]).square()) / width).exp()


def coverage_of(features, known, weights, width, rows):
    """Return the coverage after each pick, in fp64."""
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    best = torch.zeros(len(features), dtype=torch.float64)
    if len(known):
        best = kernel_of(features, known, width)[: len(features)].amax(1)
    reached = []
    for row in rows:
        best = torch.maximum(best, (-(unit - unit[row]).square().sum(1) / width).exp())
        reached.append(float(weights.double() @ best / weights.double().sum()))
    return reached


def plain_greedy(features, known, weights, width, n):
    """Weigh every row for every pick, over the whole matrix in fp64."""
    k = kernel_of(features, features, width)[: len(features)]
    best = torch.zeros(len(features), dtype=torch.float64)
    if len(known):
        best = kernel_of(features, known, width)[: len(features)].amax(1)
    share, rows = weights.double() / weights.double().sum(), []
    for _ in range(n):
        gains = share @ (k - best[:, None]).relu()
        gains[rows] = -1
        # Of equals (up to rounding) the one farthest from the chosen is taken, then the first.
        nearest = torch.where(gains > gains.max() - 1e-7, best, torch.inf)
        rows.append(int((nearest < nearest.min() + 1e-7).to(torch.uint8).argmax()))
        best = torch.maximum(best, k[:, rows[-1]])
    return rows


def herd(features, known=None, scores=None, *, n):
    labelled = NOTHING if known is None or not len(known) else pool_of(features=known)
    if scores is None:
        return max_herding(pool_of(features=features), labelled, n=n, rng=generator())
    pool = pool_of(features=features, scores=scores)
    return uncertainty_herding(pool, labelled, n=n, rng=generator())


@settings(max_examples=10, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(0, 5),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_the_picks_are_those_of_the_plain_greedy(total, chosen, width, copies, weighed, seed):
    values = torch.randn(total + chosen, width, generator=generator(seed))
    if copies:
        values = values[torch.randint(len(values), (len(values),), generator=generator(seed))]
    features, known = values[:total], values[total:]
    scores = torch.rand(total, generator=generator(seed)) if weighed else None
    weights = torch.ones(total) if scores is None else scores
    pick = herd(features, known, scores, n=total)
    assert sorted(pick.rows.tolist()) == list(range(total))
    unit = torch.nn.functional.normalize(features, dim=1)
    bandwidth = kernel_width(unit)
    plain = plain_greedy(features, known, weights, bandwidth, total)
    ours = coverage_of(features, known, weights, bandwidth, pick.rows.tolist())
    theirs = coverage_of(features, known, weights, bandwidth, plain)
    # A tie may be broken otherwise, and then the coverage is what must agree.
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    gained = torch.tensor(ours, dtype=torch.float64).diff()
    torch.testing.assert_close(pick.scores[1:].double(), gained, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("spread", [0.1, 3.0])
@pytest.mark.parametrize("chosen", [0, 7])
def test_many_rows_in_tiles_and_by_bounds_are_the_plain_greedy(spread, chosen, monkeypatch):
    # Clusters keep the bounds tight; a cloud makes them useless, so all rows are weighed at once.
    monkeypatch.setattr(ops, "_TILE_CPU", 64)
    centres = torch.randn(12, 8, generator=generator(1))
    noise = torch.randn(300, 8, generator=generator(2))
    features = centres[torch.randint(12, (300,), generator=generator(3))] + spread * noise
    known = centres[:chosen] + 0.01
    weights = torch.rand(300, generator=generator(4))
    width = kernel_width(torch.nn.functional.normalize(features, dim=1))
    expected = plain_greedy(features, known, weights, width, 60)
    assert herd(features, known, weights, n=60).rows.tolist() == expected


def test_the_bounds_spare_most_of_the_work(monkeypatch):
    weighed = []
    add = coverage._State._add

    def counted(self, columns, population, *rest):
        weighed.append(len(columns) * len(population) / 600)
        return add(self, columns, population, *rest)

    monkeypatch.setattr(coverage._State, "_add", counted)
    centres = torch.randn(60, 8, generator=generator(1))
    noise = torch.randn(600, 8, generator=generator(2))
    herd(centres.repeat(10, 1) + 0.1 * noise, n=50)
    assert sum(weighed) < 0.2 * 600 * 50


def test_the_densest_comes_first_and_each_cluster_once():
    centres = torch.eye(4)
    sizes = [3, 9, 5, 2]
    parts = [
        c + 0.01 * torch.randn(s, 4, generator=generator(s))
        for c, s in zip(centres, sizes, strict=True)
    ]
    picked = herd(torch.cat(parts), n=4).rows
    cluster = torch.repeat_interleave(torch.arange(4), torch.tensor(sizes))
    assert cluster[picked].tolist() == [1, 2, 0, 3]


def test_what_is_labelled_is_covered():
    centres = torch.eye(3).repeat_interleave(4, 0)
    pick = herd(centres, centres[:1], n=2)
    assert pick.rows.tolist() == [4, 8]
    assert pick.scores.tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.01)


def test_uncertainty_moves_the_picks():
    features = torch.eye(3).repeat_interleave(4, 0)
    scores = torch.tensor([0.1] * 4 + [0.2] * 4 + [0.9] * 4)
    assert herd(features, scores=scores, n=3).rows.tolist() == [8, 4, 0]


def test_a_certain_model_leaves_the_density_to_go_by():
    features = torch.randn(30, 4, generator=generator())
    picked = herd(features, scores=torch.zeros(30), n=9)
    assert torch.equal(picked.rows, herd(features, n=9).rows)


def test_the_score_is_computed_where_it_was_not_fused():
    p = torch.tensor([[0.99, 0.01], [0.6, 0.4], [0.95, 0.05]])[:, None]
    pool = pool_of(features=torch.eye(3), log_probs=p.log())
    acquire = functools.partial(uncertainty_herding, score=entropy)
    assert acquire(pool, NOTHING, n=1, rng=generator()).rows.tolist() == [1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_is_herded_in_fp32_or_better(dtype):
    features = torch.eye(3).repeat_interleave(4, 0) * 300
    pick = herd(features.to(dtype), features[:1], n=2)
    assert pick.rows.tolist() == [4, 8]


def test_length_does_not_count():
    features = torch.randn(30, 4, generator=generator())
    scale = torch.logspace(-30, 30, 30)[:, None]
    assert torch.equal(herd(features, n=9).rows, herd(features * scale, n=9).rows)


def test_rows_of_zeros_are_alike():
    assert herd(torch.zeros(5, 3), n=3).rows.tolist() == [0, 1, 2]


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match=r"pool.scores \[3\]: negative in row 1"):
        herd(torch.eye(3), scores=torch.tensor([0.1, -0.2, 0.3]), n=1)


@pytest.mark.parametrize("acquire", [max_herding, uncertainty_herding])
def test_bad_features_are_named(acquire):
    def pick(features, known, n=1):
        pool = pool_of(features=features, scores=torch.ones(len(features)))
        return acquire(pool, pool_of(features=known), n=n, rng=generator())

    good = torch.eye(4)
    bad = good.clone()
    bad[2, 1] = float("nan")
    with pytest.raises(ValueError, match=r"pool.features \[4, 4\]: NaN or infinity in row 2"):
        pick(bad, good)
    with pytest.raises(ValueError, match=r"labelled.features \[4, 4\]: NaN or infinity in row 2"):
        pick(good, bad)
    with pytest.raises(ValueError, match=r"labelled.features \[4, 3\]: the width differs"):
        pick(good, good[:, :3])
    with pytest.raises(ValueError, match="n = 5: the pool has 4 rows"):
        pick(good, good, n=5)


def test_representatives_are_the_same_images_in_any_order():
    values = torch.nn.functional.normalize(torch.randn(5000, 3, generator=generator()), dim=1)
    weights = torch.rand(5000, generator=generator()) ** 4
    order = torch.randperm(5000, generator=generator())
    rows, share = representatives(values, weights, 500)
    moved, _ = representatives(values[order], weights[order], 500)
    assert len(set(rows.tolist())) == pytest.approx(500, abs=2)
    assert len(set(rows.tolist()) & set(order[moved].tolist())) >= 490
    assert float(share.sum()) == pytest.approx(float(weights.sum()), rel=0.02)
    assert kernel_width(values) == pytest.approx(kernel_width(values[order]), rel=1e-3)


def test_representatives_leave_out_no_heavy_row():
    values = torch.nn.functional.normalize(torch.randn(3000, 3, generator=generator()), dim=1)
    weights = torch.full((3000,), 1e-4)
    weights[::30] = 1.0
    rows, share = representatives(values, weights, 200)
    heavy = share[weights[rows] == 1]
    assert heavy.tolist() == pytest.approx([1.0] * 100)
    assert float(share.sum()) == pytest.approx(float(weights.sum()), rel=1e-3)


def test_a_large_pool_is_herded_by_its_representatives(monkeypatch):
    monkeypatch.setattr(herding, "_POPULATION", 100)
    centres = torch.randn(6, 8, generator=generator(1))
    noise = torch.randn(600, 8, generator=generator(2))
    features = centres.repeat(100, 1) + 0.05 * noise
    picked = herd(features, n=6).rows
    assert sorted((picked % 6).tolist()) == list(range(6))


def test_the_width_is_a_quarter_of_the_median_squared_distance():
    values = torch.nn.functional.normalize(torch.randn(9, 3, generator=generator()), dim=1)
    every = torch.pdist(values.double()).square()
    assert kernel_width(values) == pytest.approx(float(every.median()) / 4, rel=1e-4)
    assert kernel_width(values[:1]) == 1
