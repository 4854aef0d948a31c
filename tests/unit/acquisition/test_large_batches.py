import functools

import pytest
import torch

from alvision.acquisition import cluster_margin, drop_query, entropy, top_k
from tests.support.pools import NOTHING, generator, pool_of


def cluster(pool, n, **options):
    return cluster_margin(pool, NOTHING, n=n, rng=generator(), **options)


def test_a_batch_has_some_of_every_kind_and_the_best_of_each():
    kind = torch.tensor([0] * 30 + [1] * 6 + [2] * 4)
    features = torch.eye(3)[kind] + 0.01 * torch.randn(40, 3, generator=generator())
    scores = torch.rand(40, generator=generator()) + 2.0 * (kind == 0)
    pool = pool_of(features=features, scores=scores)
    pick = cluster(pool, 5)
    assert kind[pick.rows].tolist() == [2, 1, 0, 2, 1]
    for k in range(3):
        rows = (kind == k).nonzero().flatten()
        best = rows[scores[rows].argsort(descending=True)].tolist()
        taken = pick.rows[kind[pick.rows] == k].tolist()
        assert taken == best[: len(taken)]


def test_only_ten_candidates_a_pick_are_looked_at():
    scores = torch.arange(100.0)
    pool = pool_of(features=torch.randn(100, 4, generator=generator()), scores=scores)
    assert set(cluster(pool, 3).rows.tolist()) <= set(range(70, 100))
    one = top_k(pool, NOTHING, n=1, rng=generator(), score=entropy)
    assert torch.equal(cluster(pool, 1).rows, one.rows)


def test_any_score_will_do():
    p = torch.tensor([[0.98, 0.01, 0.01], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])[:, None]
    pool = pool_of(features=torch.eye(3), log_probs=p.log())
    assert cluster(pool, 1).rows.tolist() == [1]
    assert cluster(pool, 1, score=entropy).rows.tolist() == [2]


def votes(*shares, passes=10):
    """Return log_probs in which a share of the passes votes for the second class."""
    second = torch.arange(passes) < torch.tensor(shares)[:, None] * passes
    p = torch.where(second[..., None], torch.tensor([0.2, 0.8]), torch.tensor([0.8, 0.2]))
    return p.log()


def test_a_score_is_the_share_of_passes_that_change_their_mind():
    pool = pool_of(features=torch.eye(4), log_probs=votes(0.0, 0.3, 0.4, 1.0))
    pick = drop_query(pool, NOTHING, n=4, rng=generator())
    assert pick.rows.tolist()[:2] == [2, 1]
    assert pick.scores.tolist() == pytest.approx([0.4, 0.3, 0, 0])


def test_one_row_of_each_cluster_of_candidates_is_taken():
    kind = torch.arange(40) % 4
    features = torch.eye(4)[kind] + 0.01 * torch.randn(40, 4, generator=generator())
    pool = pool_of(features=features, log_probs=votes(*[0.4] * 40))
    rows = drop_query(pool, NOTHING, n=4, rng=generator()).rows
    assert sorted(kind[rows].tolist()) == [0, 1, 2, 3]
    unit = torch.nn.functional.normalize(features, dim=1)
    for row in rows.tolist():
        own = unit[kind == kind[row]]
        nearest = torch.linalg.vector_norm(own - own.mean(0), dim=1).min()
        assert float(torch.linalg.vector_norm(unit[row] - own.mean(0))) == pytest.approx(
            float(nearest), abs=1e-5
        )


def test_copies_make_fewer_clusters_and_the_rest_is_filled_up():
    pool = pool_of(features=torch.ones(30, 2), log_probs=votes(*[0.4] * 10, *[0.1] * 20))
    pick = drop_query(pool, NOTHING, n=12, rng=generator())
    assert len(set(pick.rows.tolist())) == 12
    assert pick.scores.tolist() == pytest.approx([0.4] * 10 + [0.1] * 2)


@pytest.mark.parametrize("acquire", [drop_query, functools.partial(cluster_margin, score=entropy)])
def test_bad_features_are_named(acquire):
    features = torch.eye(4)
    features[3, 1] = float("nan")
    pool = pool_of(features=features, log_probs=votes(0.1, 0.2, 0.3, 0.4))
    with pytest.raises(ValueError, match=r"pool.features \[4, 4\]: NaN or infinity in row 3"):
        acquire(pool, NOTHING, n=1, rng=generator())
