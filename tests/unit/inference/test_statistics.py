import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alvision.core.errors import UserError
from alvision.inference import statistics
from alvision.inference.statistics import Statistics, measure, once, unchanged

GOLDEN = torch.tensor([[1.0, 0.0, 7.0], [3.0, 0.0, 7.0], [1.0, 4.0, 7.0], [3.0, 0.0, 7.0]])


def chunks(features, size=3):
    return [((), part) for part in torch.as_tensor(features).split(size)]


def test_a_golden_pool():
    """Deviations 1, 3**.5 and 0; the first is below the median of those that vary."""
    found = measure(chunks(GOLDEN), 3)
    assert torch.allclose(found.mean, torch.tensor([2.0, 1.0, 7.0]))
    median = (1 + 3**0.5) / 2
    assert torch.allclose(found.gain, torch.tensor([1 / median, 3**-0.5, 0.0]))
    assert torch.allclose(found(GOLDEN)[:, 1], torch.tensor([-1.0, -1.0, 3.0, -1.0]) / 3**0.5)


POOLS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(2, 30), st.integers(1, 6)),
    elements=st.floats(-1e4, 1e4, width=32),
)


@given(POOLS, st.integers(1, 30))
@example(np.array([[1e-45], [0]], np.float32), 1)
def test_the_pool_has_mean_zero_and_no_deviation_above_one_whatever_the_chunks(pool, size):
    try:
        found = measure(chunks(pool, size), pool.shape[1])
    except UserError:
        spread = pool.astype(np.float64).std(0)
        steady = 2 * statistics.STEADY * np.abs(pool).max(0)
        assert (spread <= np.maximum(steady, statistics.TINY)).all()
        return
    standard = found(torch.from_numpy(pool)).double()
    assert torch.isfinite(standard).all()
    assert standard.mean(0).abs().max() < 1e-2
    assert standard.std(0, correction=0).max() < 1 + 1e-2
    whole = measure(chunks(pool, len(pool)), pool.shape[1])
    assert torch.allclose(found.mean, whole.mean) and torch.allclose(found.gain, whole.gain)


@given(st.floats(-100, 100), st.floats(1e-3, 1e3))
def test_units_and_offsets_of_the_features_do_not_matter(offset, unit):
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    moved = features.double() * unit + offset * unit
    first, second = (measure(chunks(of), 4)(of) for of in (features, moved))
    assert torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4, -3e-5])
def test_a_constant_feature_becomes_zero_also_for_an_image_that_is_not_so(value):
    pool = torch.randn(40, 3)
    pool[:, 1] = value
    pool[::2, 1] *= 1 + 1e-6  # rounding
    found = measure(chunks(pool), 3)
    assert (found(torch.full((2, 3), 9e3))[:, 1] == 0).all()
    assert torch.isfinite(found(pool)).all()


def test_features_that_are_all_constant_are_refused_in_one_line():
    with pytest.raises(UserError, match="all 5 images of the pool are the same") as refused:
        measure(chunks(torch.ones(5, 3)), 3)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("pool", [torch.zeros(0, 3), torch.ones(1, 3)])
def test_no_image_or_a_single_one_is_no_mistake(pool):
    assert torch.isfinite(measure(chunks(pool), 3)(torch.ones(2, 3))).all()


def test_a_large_offset_costs_no_digits():
    pool = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0)).double() + 500
    found = measure(chunks(pool, 100), 1)
    assert found.gain.item() == pytest.approx(1 / pool.std().item(), rel=1e-3)


def test_a_run_reads_what_it_measured_first(tmp_path):
    path, first = tmp_path / "features.npz", measure(chunks(GOLDEN), 3)
    kept = once(path, "trunk", lambda: first)
    again = once(path, "trunk", lambda: pytest.fail("measured a second time"))
    for one in (kept, again):
        assert torch.equal(one.mean, first.mean) and torch.equal(one.gain, first.gain)
    once(tmp_path / "b.npz", "trunk", lambda: first)
    assert path.read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.npz", "features.npz"]


def test_the_statistics_of_another_trunk_are_refused(tmp_path):
    once(tmp_path / "f.npz", "trunk", lambda: unchanged(3))
    with pytest.raises(UserError, match="another trunk"):
        once(tmp_path / "f.npz", "other", lambda: unchanged(3))


@pytest.mark.parametrize("damage", ["cut", "pickled", "shape"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, damage):
    path = tmp_path / "f.npz"
    if damage == "pickled":
        np.savez(path, mean=np.array([None]), gain=np.array([None]), trunk=np.array("trunk"))
    elif damage == "shape":
        np.savez(path, mean=np.zeros(3, np.float32), gain=np.ones(2, np.float32), trunk="trunk")
    else:
        once(path, "trunk", lambda: unchanged(3))
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="cannot be read; delete it"):
        once(path, "trunk", lambda: unchanged(3))


def test_statistics_apply_to_several_passes_too():
    found = Statistics(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.5]))
    several = torch.randn(4, 3, 2)
    assert torch.equal(found(several)[:, 1], found(several[:, 1]))
