import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alvision.acquisition import k_center
from alvision.acquisition.support import ops
from tests.support.pools import NOTHING, generator, one_by_one, pool_of


def rows_of(features, labelled=None, *, n):
    known = NOTHING if labelled is None else pool_of(features=labelled)
    return k_center(pool_of(features=features), known, n=n, rng=generator())


def radii(features, chosen, rows):
    """Return the distance of each row to everything chosen before it, in fp64."""
    every = torch.cdist(features.double(), features.double())
    chosen, result = list(chosen), []
    for row in rows:
        result.append(float(every[row, chosen].min()))
        chosen.append(row)
    return result


@settings(max_examples=15)
@given(
    st.integers(1, 25),
    st.integers(1, 25),
    st.integers(1, 6),
    st.sampled_from([0.0, 1000.0]),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_it_is_the_plain_farthest_first_traversal(total, known, width, offset, copies, seed):
    values = offset + torch.randn(total + known, width, generator=generator(seed))
    if copies:
        values = values[torch.randint(len(values), (len(values),), generator=generator(seed))]
    labelled, pool = values[:known], values[known:]
    pick = rows_of(pool, labelled, n=total)
    expected = one_by_one(values, range(known))
    # Copies tie, so that "the same picks" means the same distances.
    assert sorted(pick.rows.tolist()) == list(range(total))
    torch.testing.assert_close(
        pick.scores.double(),
        torch.tensor(radii(values, range(known), expected), dtype=torch.float64),
        rtol=1e-5,
        atol=1e-5 if offset == 0 else 2e-4,
    )
    if not copies and offset == 0 and width > 1:
        assert [row + known for row in pick.rows.tolist()] == expected


def test_distances_only_shrink():
    values = torch.randn(40, 4, generator=generator())
    scores = rows_of(values, values[:1] + 3, n=40).scores
    assert (scores.diff() <= 0).all()


def test_whole_numbers_are_exact_and_ties_go_to_the_lowest_row():
    line = torch.tensor([[0.0], [4.0], [-4.0], [4.0], [1.0]])
    pick = rows_of(line, torch.tensor([[0.0]]), n=5)
    assert pick.rows.tolist() == [1, 2, 4, 0, 3]
    assert pick.scores.tolist() == [4.0, 4.0, 1.0, 0.0, 0.0]


def test_without_labels_it_starts_at_a_typical_image_and_not_at_the_first():
    features = torch.tensor([[50.0, 0.0], [1.0, 1.0], [0.0, 0.0], [9.0, 0.0], [0.0, 2.0]])
    pick = rows_of(features, n=2)
    assert pick.rows.tolist() == [3, 0]
    assert pick.scores.tolist() == [0.0, 41.0]
    assert rows_of(features.flip(0), n=2).rows.tolist() == [1, 4]


def test_with_labels_there_is_no_such_start():
    features = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    assert rows_of(features, torch.tensor([[0.0]]), n=1).rows.tolist() == [3]


def test_an_image_like_a_labelled_one_comes_last():
    features = torch.randn(30, 8, generator=generator()) + 100
    pick = rows_of(features, features[[7, 19]], n=30)
    assert set(pick.rows.tolist()[-2:]) == {7, 19}
    assert pick.scores.tolist()[-2:] == [0.0, 0.0]


def test_copies_do_not_come_before_what_differs():
    features = torch.randn(10, 4, generator=generator()).repeat(3, 1)
    pick = rows_of(features, features[:1] + 1, n=30)
    assert {row % 10 for row in pick.rows.tolist()[:10]} == set(range(10))
    assert pick.scores[10:].tolist() == [0.0] * 20


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(dtype):
    features = torch.randn(40, 16, generator=generator()).to(dtype)
    pick = rows_of(features, features[:3], n=20)
    assert pick.scores.dtype == torch.float32
    assert torch.equal(pick.rows, rows_of(features.float(), features[:3].float(), n=20).rows)


def test_the_split_of_the_work_does_not_show(monkeypatch):
    features = torch.randn(83, 6, generator=generator())
    whole = rows_of(features, features[:5] + 1, n=30), rows_of(features, n=30)
    monkeypatch.setattr(ops, "_BLOCK_CPU", 24)
    parts = rows_of(features, features[:5] + 1, n=30), rows_of(features, n=30)
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one.rows, other.rows)


def test_many_labelled_rows_are_compared_in_parts():
    known = torch.randn(5000, 3, generator=generator())
    pool = torch.randn(50, 3, generator=generator(1))
    pick = rows_of(pool, known, n=1)
    distances = torch.cdist(pool.double(), known.double()).amin(1)
    assert int(pick.rows) == int(distances.argmax())
    assert float(pick.scores) == pytest.approx(float(distances.max()), rel=1e-5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_features_are_named(bad):
    good, broken = torch.ones(4, 2), torch.ones(5, 2)
    broken[3, 1] = bad
    with pytest.raises(ValueError, match=r"pool.features \[5, 2\]: NaN or infinity in row 3"):
        rows_of(broken, good, n=1)
    with pytest.raises(ValueError, match=r"labelled.features \[5, 2\]: NaN or infinity in row 3"):
        rows_of(good, broken, n=1)


def test_widths_that_differ_are_named():
    with pytest.raises(ValueError, match=r"labelled.features \[3, 4\].*pool.features \[3, 2\]"):
        rows_of(torch.ones(3, 2), torch.ones(3, 4), n=1)


def test_missing_features_are_named():
    with pytest.raises(ValueError, match=r"pool\.features is missing"):
        k_center(pool_of(scores=torch.ones(2)), NOTHING, n=1, rng=generator())
    with pytest.raises(ValueError, match=r"labelled\.features is missing"):
        k_center(
            pool_of(features=torch.ones(2, 1)), pool_of(scores=torch.ones(2)), n=1, rng=generator()
        )


@pytest.mark.parametrize("n", [-1, 4])
def test_more_than_there_is_is_refused(n):
    with pytest.raises(ValueError, match=f"n = {n}: the pool has 3 rows"):
        rows_of(torch.ones(3, 2), n=n)


@pytest.mark.gpu
def test_a_gpu_picks_the_same_rows():
    features = torch.randn(2000, 64, generator=generator())
    here, there = rows_of(features, n=100), rows_of(features.cuda(), n=100)
    assert there.rows.is_cuda
    assert torch.equal(here.rows, there.rows.cpu())
    torch.testing.assert_close(here.scores, there.scores.cpu(), rtol=1e-4, atol=1e-4)
