import pytest
import torch

from alvision.acquisition import k_center, needs, properties, typiclust
from alvision.acquisition.support import ops
from alvision.acquisition.support.clusters import k_means
from alvision.acquisition.testing import conformance
from alvision.acquisition.typiclust import typicality
from alvision.inference.predictions import Pick
from tests.support.pools import NOTHING, generator, pool_of


def pick(features, known=None, *, n):
    labelled = NOTHING if known is None else pool_of(features=known)
    return typiclust(pool_of(features=features), labelled, n=n, rng=generator())


def blobs(*sizes, width=8):
    """Return rows around orthogonal directions and the blob of each."""
    blob = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    noise = torch.randn(len(blob), width, generator=generator())
    return torch.eye(width)[blob] + 0.02 * noise, blob


def test_the_largest_cluster_comes_first_and_a_small_one_comes_too():
    features, blob = blobs(30, 3, 12, 2)
    assert blob[pick(features, n=4).rows].tolist() == [0, 2, 1, 3]


def test_a_cluster_with_a_label_waits():
    features, blob = blobs(30, 3, 12)
    rows = pick(features, features[:1], n=2).rows
    assert blob[rows].tolist() == [2, 1]


def test_within_a_cluster_the_most_typical_row_is_taken():
    features, _ = blobs(25, width=4)
    unit = torch.nn.functional.normalize(features, dim=1)
    every = torch.cdist(unit.double(), unit.double())
    mean = every.sort(dim=1).values[:, 1:21].mean(1)
    chosen = pick(features, n=1)
    assert int(chosen.rows) == int(mean.argmin())
    assert float(chosen.scores) == pytest.approx(1 / float(mean.min()), rel=1e-4)


def test_typicality_in_tiles_is_that_of_the_whole_matrix(monkeypatch):
    points = torch.randn(150, 5, generator=generator())
    dense = torch.cdist(points.double(), points.double()).sort(dim=1).values[:, 1:21].mean(1)
    monkeypatch.setattr(ops, "_TILE_CPU", 16)
    torch.testing.assert_close(typicality(points).double(), 1 / dense, rtol=1e-4, atol=0)


def test_copies_are_typical_but_finite():
    assert typicality(torch.ones(4, 2)).tolist() == pytest.approx([1e6] * 4)
    assert pick(torch.ones(6, 3), n=6).rows.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_clustered_in_fp32(dtype):
    features, blob = blobs(9, 5, 3)
    assert blob[pick(features.to(dtype), n=3).rows].tolist() == [0, 1, 2]


def test_k_means_finds_what_is_there_and_no_empty_cluster():
    features, blob = blobs(9, 5, 3)
    cluster, centres = k_means(features, 3)
    assert len({(int(c), int(b)) for c, b in zip(cluster, blob, strict=True)}) == 3
    torch.testing.assert_close(centres[cluster[0]], features[:9].mean(0))
    cluster, centres = k_means(torch.ones(5, 2), 3)
    assert len(centres) == 1 and cluster.tolist() == [0] * 5


def test_k_means_lowers_the_distances_that_it_starts_from():
    points = torch.randn(200, 4, generator=generator())
    cluster, centres = k_means(points, 7)
    started = points[k_center(pool_of(features=points), NOTHING, n=7, rng=generator()).rows]
    before = torch.cdist(points, started).amin(1).square().sum()
    assert (points - centres[cluster]).square().sum() < 0.8 * before
    assert torch.equal(cluster, torch.cdist(points, centres).argmin(1))


@needs("features")
@properties("deterministic")
def without_small_clusters(pool, labelled, *, n, rng):
    """Do as the published code does: a cluster of five rows or fewer is thrown away."""
    if not 0 <= n <= len(pool):
        raise ValueError(n)
    if not n:
        return Pick(torch.empty(0, dtype=torch.int64), torch.empty(0))
    cluster, centres = k_means(pool.features, max(1, min(n, len(pool))))
    sizes = cluster.bincount(minlength=len(centres))
    rows = []
    for number in sizes.argsort(descending=True).tolist():
        if sizes[number] > 5:
            rows.append(int((cluster == number).nonzero()[0]))
    rows = rows or [0]
    return Pick(torch.tensor(rows[:n]), torch.zeros(min(n, len(rows))))


def test_throwing_small_clusters_away_is_refused():
    with pytest.raises(conformance.ConformanceError, match="breaks 'n unique rows'"):
        conformance.check(without_small_clusters)


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_bad_features_are_named(bad):
    features = torch.eye(4)
    features[3, 1] = float(bad)
    with pytest.raises(ValueError, match=r"pool.features \[4, 4\]: NaN or infinity in row 3"):
        pick(features, n=1)
    with pytest.raises(ValueError, match=r"labelled.features \[4, 4\]: NaN or infinity in row 3"):
        pick(torch.eye(4), features, n=1)
    with pytest.raises(ValueError, match=r"labelled.features \[2, 3\]: the width differs"):
        pick(torch.eye(4), torch.eye(3)[:2], n=1)
    with pytest.raises(ValueError, match=r"n = 5: the pool has 4 rows"):
        pick(torch.eye(4), n=5)
