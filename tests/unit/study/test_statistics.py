import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alvision.study.statistics import (
    Ratio,
    holm,
    label_ratio,
    minimum_detectable_effect,
    paired_tests,
    seeds_needed,
    sign_flip_test,
    standard_effect,
)

numbers = st.floats(-1, 1).map(lambda x: round(x, 3))


@given(st.lists(numbers, min_size=1, max_size=8))
def test_sign_flips_agree_with_trying_all(differences):
    observed = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product([-1, 1], repeat=len(differences))
    ]
    expected = np.mean([total >= observed - 1e-9 for total in sums])
    assert sign_flip_test(differences) == pytest.approx(expected)


def test_sign_flips_agree_with_scipy():
    differences = np.random.default_rng(0).normal(0.5, 1, 10)
    found = stats.permutation_test(
        (differences, np.zeros(10)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip_test(differences) == pytest.approx(found.pvalue)


def test_the_smallest_p_value_halves_with_each_seed():
    assert [sign_flip_test([0.1] * n) for n in (1, 2, 6, 8)] == [1, 0.5, 2**-5, 2**-7]
    assert sign_flip_test(np.linspace(0.1, 1, 20)) == 2**-19


def test_no_difference_has_p_value_1():
    assert sign_flip_test([0.0] * 8) == 1
    assert sign_flip_test([0.1, -0.1]) == 1


def test_many_seeds_are_sampled_and_never_give_0():
    rng = np.random.default_rng(0)
    some = rng.normal(0.4, 1, 30)
    assert sign_flip_test(some) == pytest.approx(stats.ttest_1samp(some, 0).pvalue, abs=0.01)
    assert sign_flip_test(np.ones(30)) == pytest.approx(1 / 100_001)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_lies_between_none_and_bonferroni(p_values):
    found = holm(p_values)
    for p, corrected in zip(p_values, found, strict=True):
        assert p <= corrected <= min(1, len(p_values) * p) + 1e-12
    order = np.argsort(p_values)
    assert np.all(np.diff(np.array(found)[order]) >= 0)


@pytest.mark.parametrize("comparisons", range(1, 20))
def test_seeds_needed_is_the_fewest(comparisons):
    needed = seeds_needed(comparisons)
    assert comparisons * 2.0 ** (1 - needed) <= 0.05 < comparisons * 2.0 ** (2 - needed)


@pytest.mark.parametrize(("n", "comparisons"), [(6, 1), (8, 4), (10, 1)])
def test_the_detectable_effect_is_found_4_times_out_of_5(n, comparisons):
    rng = np.random.default_rng(n)
    draws = rng.normal(0, 0.01, (300, n))
    effect = np.mean([minimum_detectable_effect(d, comparisons=comparisons) for d in draws])
    found = [comparisons * sign_flip_test(d + effect) <= 0.05 for d in draws]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_the_detectable_effect_grows_with_the_spread_and_the_comparisons():
    differences = np.array([0.01, 0.03, 0.02, 0.02, 0.01, 0.03, 0.02, 0.01])
    one = minimum_detectable_effect(differences)
    assert minimum_detectable_effect(3 * differences) == pytest.approx(3 * one)
    assert minimum_detectable_effect(differences, comparisons=4) > one
    assert minimum_detectable_effect(differences[:5]) is None
    assert minimum_detectable_effect(differences[:7], comparisons=4) is None


def test_the_simulated_effect_goes_over_into_that_of_the_t_test():
    effects = [standard_effect(n, 4) for n in range(10, 20)]
    assert np.all(np.diff(effects) < 0)
    assert effects[5] / effects[4] > 0.9


def test_few_seeds_have_no_p_values_and_more_are_corrected_together():
    rng = np.random.default_rng(0)
    rows = list(rng.normal(0.5, 1, (3, 8)))
    assert paired_tests(rows) == holm([sign_flip_test(row) for row in rows])
    assert paired_tests([row[:6] for row in rows]) == [None] * 3
    assert paired_tests([]) == []


def test_the_ratio_is_exact_where_everybody_gets_there():
    found = label_ratio([100, 120, 140], [50, 60, 70], [200] * 3, [200] * 3)
    assert found == Ratio(2.0, 2.0, 2.0, "exact")
    noisy = label_ratio([100, 120, 90], [50, 70, 60], [200] * 3, [200] * 3)
    assert noisy.value == pytest.approx(310 / 180)
    assert noisy.low < noisy.value < noisy.high


def test_the_ratio_is_a_bound_where_one_of_them_does_not():
    least = label_ratio([None, 100, 120], [100] * 3, [200] * 3, [200] * 3)
    assert (least.value, least.high, least.bound) == (1.4, None, "at least")
    assert 0 < least.low < 1
    most = label_ratio([100] * 3, [None, 100, 120], [200] * 3, [200] * 3)
    assert (most.value, most.low, most.bound) == (pytest.approx(1 / 1.4), None, "at most")
    assert most.high > 1


def test_there_is_no_ratio_where_nothing_bounds_it():
    assert label_ratio([None, 100], [100, None], [200] * 2, [200] * 2) is None
    assert label_ratio([0, 100], [0, 100], [200] * 2, [200] * 2) is None


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_difference_that_is_no_number_shows_nothing(hole):
    clear, holed = np.full(8, 0.1) + np.arange(8) / 100, np.full(8, 0.1)
    holed[3] = hole
    with pytest.raises(ValueError, match="NaN or infinite"):
        sign_flip_test(holed)
    assert paired_tests([clear, holed]) == [pytest.approx(2 * 2**-7), None]
    assert minimum_detectable_effect(holed) is None


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-9])
def test_equal_differences_do_not_tell_what_would_be_found(value):
    assert minimum_detectable_effect([value] * 8) is None
    assert minimum_detectable_effect([value + 0.01 * i for i in range(8)]) > 0
