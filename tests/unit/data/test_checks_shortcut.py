import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from alvision.data.checks.shortcut import bins, chi_square, shortcuts


def alone(count):
    return [str(i) for i in range(count)]


def test_a_format_that_nearly_gives_one_class_away_is_found():
    # 142 of 203 images of one class of seven are PNG, all else is JPEG.
    truth = [f"class {i % 6}" for i in range(1157)] + ["roll"] * 203
    formats = ["JPEG"] * 1157 + ["PNG"] * 142 + ["JPEG"] * 61
    found = shortcuts({"file format": formats}, truth, alone(1360))[0]
    assert (found.label, found.value, found.share_elsewhere) == ("roll", "PNG", 0.0)
    assert found.share == pytest.approx(142 / 203)
    assert found.balanced_accuracy == pytest.approx((142 / 203 + 1) / 2)
    assert found.p_value < 1e-100


def null(rng, count):
    facts = {
        "two": rng.choice(["a", "b"], count, p=[0.1, 0.9]).tolist(),
        "thirty": rng.choice(30, count).astype(str).tolist(),
        "bytes": bins(rng.lognormal(size=count)),
    }
    return facts, rng.choice(["x", "y", "z"], count, p=[0.15, 0.25, 0.6]).tolist()


def test_false_alarms_stay_at_the_level():
    rng = np.random.default_rng(0)
    alarms = sum(bool(shortcuts(*null(rng, 80), alone(80))) for _ in range(120))
    assert alarms <= 6  # Binomial(120, ALPHA) exceeds 6 less than once in 4,000 times.


def test_images_of_one_group_are_no_evidence_of_their_own():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(40), 25)
    camera = rng.choice(["a", "b"], 40)[group].tolist()
    by_group = by_image = 0
    for _ in range(60):
        truth = rng.choice(["good", "bad"], 40)[group].tolist()
        by_group += bool(shortcuts({"camera": camera}, truth, group.astype(str).tolist()))
        by_image += bool(shortcuts({"camera": camera}, truth, alone(1000)))
    assert by_group <= 4 and by_image >= 20


def test_small_classes_and_constant_facts_are_not_tested():
    truth = ["ok"] * 50 + ["rare"] * 5
    assert shortcuts({"f": ["a"] * 50 + ["b"] * 5}, truth, alone(55)) == []
    assert shortcuts({"f": ["a"] * 40}, ["x", "y"] * 20, alone(40)) == []


def test_rare_values_are_tested_together():
    truth = ["ok"] * 100 + ["bad"] * 30
    camera = ["a"] * 100 + [f"serial {i}" for i in range(30)]
    found = shortcuts({"camera": camera}, truth, alone(130))
    assert [(one.label, one.value, one.share) for one in found] == [("bad", "other values", 1.0)]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=8))
def test_chi_square_equals_the_reference(rows):
    table = np.array(rows, dtype=float)
    assert chi_square(table) == pytest.approx(
        chi2_contingency(table, correction=False).pvalue, abs=1e-12
    )


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
def test_bins_are_few_and_ordered(numbers):
    named = bins(numbers)
    assert len(named) == len(numbers) and len(set(named)) <= 10
    ordered = [name for _, name in sorted(zip(numbers, named, strict=True), key=lambda p: p[0])]
    assert len(list(dict.fromkeys(ordered))) == sum(
        a != b for a, b in zip([None, *ordered], ordered, strict=False)
    )
