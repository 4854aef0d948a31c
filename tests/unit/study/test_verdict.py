import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from alvision.evaluation.intervals import Estimate
from alvision.evaluation.metrics import metric
from alvision.study.collect import Study, collect
from alvision.study.markdown import markdown, table
from alvision.study.statistics import Ratio
from alvision.study.summary import Comparison, Row, summarise
from alvision.study.verdict import RANDOM, outcome, sentence, verdict
from tests.unit.study.builder import study, write_study


def outcomes(comparison):
    return {row.acquisition: outcome(row) for row in comparison.rows}


def said(comparison, name):
    row = next(row for row in comparison.rows if row.acquisition == name)
    return sentence(row, comparison)


def with_target(found: Study, target) -> Study:
    return dataclasses.replace(found, target=target)


def test_random_against_random_is_not_shown():
    found = study({"again": 0.0})
    copy = dataclasses.replace(found, values=dict.fromkeys(found.values, found.values["again"]))
    comparison = summarise(copy)
    assert outcomes(comparison)["again"] == "not shown"
    # Equal curves do not tell which gain would have been found, least of all one of 0.000.
    assert verdict(comparison) == "No strategy was shown to beat random sampling in 8 seeds."
    assert "would find" not in said(comparison, "again")
    assert said(comparison, "again").startswith("again: macro-F1 +0.000 averaged over the curve")
    assert "p = 1). That does not tell it from random sampling" in said(comparison, "again")


def test_a_curve_that_holds_no_number_shows_nothing_and_takes_no_claim_from_the_others():
    found = study({"good": 0.1, "holed": 0.1})
    found.values["holed"][3, 5] = np.nan
    comparison = summarise(found)
    assert outcomes(comparison) == {
        "random_sampling": "baseline",
        "good": "fewer",
        "holed": "not shown",
    }
    assert "holds something that is no number" in said(comparison, "holed")


def claims_in(studies: int, others: int) -> int:
    """Count studies without any difference that are said to show one."""
    count = 0
    for seed in range(studies):
        comparison = summarise(study({f"s{k}": 0.0 for k in range(others)}, seed=seed))
        claimed = set(outcomes(comparison).values()) - {"baseline", "not shown"}
        count += bool(claimed)
        assert verdict(comparison).startswith("No strategy was shown") or claimed
    return count


@pytest.mark.slow
def test_over_many_studies_of_nothing_claims_are_rare():
    assert claims_in(40, others=2) <= 5  # at the level of .05, more come in 1 of 70 such trials


@pytest.mark.slow
@pytest.mark.parametrize("others", [1, 4])
def test_over_very_many_studies_of_nothing_claims_are_rare(others):
    assert claims_in(400, others) <= 31  # more come in 1 of 100 such trials


def test_a_planted_effect_is_found():
    comparison = summarise(study({"margin": 0.04, "entropy": 0.0, "bald": 0.03, "k_center": 0.0}))
    assert outcomes(comparison) == {
        "random_sampling": "baseline",
        "margin": "fewer",
        "entropy": "not shown",
        "bald": "fewer",
        "k_center": "not shown",
    }
    ratio = comparison.rows[1].ratio
    told = verdict(comparison)
    gain = comparison.rows[1].difference
    assert told.startswith(
        f"margin beat random sampling here: macro-F1 {gain.value:+.3f} averaged over the curve "
        f"(95 % CI {gain.low:+.3f} to {gain.high:+.3f}, 8 seeds, p = 0.031). To reach macro-F1 0.7"
    )
    assert f"it needs {ratio.value:.2f}x fewer labels (95 % CI {ratio.low:.2f}-" in told
    assert "Fewer labels as well: bald (1." in told


def test_worse_than_random_is_said_so():
    comparison = summarise(study({"margin": 0.04, "bald": -0.04}))
    assert outcomes(comparison)["bald"] == "worse"
    assert said(comparison, "bald").startswith(
        "bald did worse than random sampling here: macro-F1 -0.0"
    )
    assert verdict(comparison).endswith("Worse than random sampling: bald.")
    alone = summarise(study({"bald": -0.04}))
    gain = alone.rows[1].difference.value
    assert verdict(alone) == f"Worse than random sampling: bald ({gain:+.3f}). Nothing beat it."


def test_too_few_seeds_say_how_many_it_takes():
    comparison = summarise(study({"margin": 0.04, "bald": 0.04}, seeds=5))
    expected = (
        "2 comparisons with random sampling need at least 7 seeds for a p-value of 0.05, and the "
        "study has 5."
    )
    assert f"Too few seeds to tell: {expected}" == verdict(comparison)
    told = said(comparison, "margin")
    assert told.startswith("margin: macro-F1 +0.0")
    assert told.endswith(f", 5 seeds). That shows nothing yet: {expected}")


def test_a_small_effect_tells_what_would_have_been_found():
    comparison = summarise(study({"margin": 0.001}, noise=0.02))
    row = comparison.rows[1]
    told = said(comparison, "margin")
    assert f"would find a true difference of {row.detectable:.3f} 4 times out of 5" in told
    assert f"a true gain of {row.detectable:.3f} macro-F1," in verdict(comparison)


def test_a_target_that_the_strategy_misses_is_named():
    found = study({"margin": 0.04})
    target = found.target.copy()
    target[:2] = 2.0
    comparison = summarise(with_target(found, target))
    assert outcomes(comparison)["margin"] == "better"
    told = said(comparison, "margin")
    assert told.startswith("margin beat random sampling here: macro-F1 +0.0")
    assert "Whether it needs fewer labels is " in told
    assert "in 2 of 8 seeds it never reaches macro-F1 1.0" in told
    assert verdict(comparison) == told


def test_a_target_that_random_misses_gives_a_bound():
    found = study({"margin": 0.06})
    target = found.values["random_sampling"].max(axis=1) + 0.01
    comparison = summarise(with_target(found, target))
    assert comparison.rows[0].missed == 8
    told = verdict(comparison)
    assert "it needs at least " in told
    assert "x fewer labels (95 % CI from " in told
    assert "random sampling never reaches it in 8 of 8 seeds" in told


def test_without_a_target_only_the_curves_are_compared():
    comparison = summarise(with_target(study({"margin": 0.04}), None))
    assert "is unknown: there is no target" in verdict(comparison)
    assert "There is no target" in markdown(comparison)


def test_who_starts_at_the_target_saves_no_label():
    found = study({"margin": 0.04})
    # Everybody is there from the start, so nobody saves a label.
    comparison = summarise(with_target(found, np.full(8, 0.01)))
    assert outcomes(comparison)["margin"] == "better"
    assert "it needs as many labels (1.00x, 95 % CI 1.00-1.00)" in verdict(comparison)


def test_without_random_nothing_is_shown(tmp_path):
    out = write_study(tmp_path / "out", study({"margin": 0.04, "bald": 0.04}))
    alone = summarise(collect(out, ["margin", "bald"]))
    assert verdict(alone) == "Nothing can be compared: the study has no random_sampling."
    assert "no random_sampling" in said(alone, "margin")
    only = summarise(collect(out, ["random_sampling"]))
    assert verdict(only) == (
        "Nothing can be compared: the study has no acquisition but random_sampling."
    )


def test_the_verdict_is_a_function_of_the_files(tmp_path):
    found = study({"margin": 0.04, "bald": 0.0})
    out = write_study(tmp_path / "out", found)
    told = [verdict(summarise(collect(out))) for _ in range(2)]
    assert told[0] == told[1]
    moved = out.rename(tmp_path / "elsewhere")
    assert verdict(summarise(collect(moved))) == told[0]


def test_the_tables_hold_every_row():
    comparison = summarise(study({"margin": 0.04, "bald": 0.0}))
    text = markdown(comparison)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1
    assert lines[3].startswith("| margin | 8 | 0.")
    assert "| 0.016 |" in lines[3]
    assert "Target: macro-F1 0.7" in text
    assert "90 % of each seed's full-data score" in text


def test_the_table_fits_a_terminal_of_80_columns():
    comparison = summarise(study({"uncertainty_herding": 0.04, "bald": 0.0}))
    console = Console(width=80, file=io.StringIO())
    console.print(table(comparison))
    lines = console.file.getvalue().splitlines()
    ratio = comparison.rows[1].ratio
    row = next(line for line in lines if line.startswith("uncertainty_herding"))
    assert f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]" in row
    assert "…" not in "".join(lines)


def test_a_given_target_is_told_beside_the_full_data_score():
    comparison = summarise(with_target(study({"margin": 0.04}), np.full(8, 0.7)))
    assert "Target: macro-F1 0.700 (full data: 0.8" in markdown(comparison)


def made(difference, *, p_value=0.01, ratio=None, target=0.67, seeds=12, missed=0, random_missed=0):
    """Return a comparison of k_center with random sampling that has these numbers."""
    values = np.zeros((seeds, 2))
    names = ("random_sampling", "k_center")
    study_ = Study(
        folder=Path("runs/demo"),
        metric=metric("macro_f1"),
        acquisitions=names,
        baseline=names[0],
        seeds=tuple(range(seeds)),
        answers=np.tile([20.0, 40.0], (seeds, 1)),
        values=dict.fromkeys(names, values),
        target=None if target is None else np.full(seeds, target),
    )
    labels = (None,) * random_missed + (49.0,) * (seeds - random_missed)
    own = (None,) * missed + (40.0,) * (seeds - missed)
    areas = np.full(seeds, 0.7)
    rows = (
        Row(names[0], areas, Estimate(0.694, 0.673, 0.716), labels, 49.0),
        Row(
            names[1], areas, Estimate(0.727, 0.708, 0.745), own, 40.0,
            difference=difference, p_value=p_value, ratio=ratio, detectable=0.02,
        ),
    )  # fmt: skip
    return Comparison(study_, rows, 4, 8, (), (), ())


def test_the_verdict_word_by_word():
    comparison = made(
        Estimate(0.038, 0.011, 0.066), p_value=0.020, ratio=Ratio(1.84, 1.16, 2.78), target=0.672
    )
    expected = (
        "k_center beat random sampling here: macro-F1 +0.038 averaged over the curve (95 % CI "
        "+0.011 to +0.066, 12 seeds, p = 0.02). To reach macro-F1 0.67 it needs 1.84x fewer labels "
        "(95 % CI 1.16-2.78)."
    )
    assert verdict(comparison) == expected


NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def test_the_readme_claims_in_the_words_of_this_code():
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    block = text.partition("<!-- demo:begin -->")[2].partition("<!-- demo:end -->")[0]
    claims = re.findall(r"\*\*(.+?)\*\*", block)
    assert claims
    gain = Estimate(0.038, 0.011, 0.066)
    for claim in claims:
        if claim.startswith(("No strategy was shown", "Worse than")):
            continue  # the words for that have tests of their own
        name, beat, _ = claim.partition(" beat ")
        assert beat
        found = made(gain, p_value=0.020, ratio=Ratio(1.84, 1.16, 2.78))
        start = verdict(found).replace("k_center", name).partition(" averaged")[0]
        starts = [start, start.replace(RANDOM["random_sampling"], RANDOM["random_throughout"])]
        shown = NUMBER.sub("#", claim.partition(" averaged")[0])
        assert shown in [NUMBER.sub("#", words) for words in starts]


def test_more_labels_are_said_to_be_more():
    told = verdict(made(Estimate(0.03, 0.01, 0.05), ratio=Ratio(0.71, 0.6, 0.9)))
    assert "But to reach macro-F1 0.67 it needs more labels, not fewer (0.71x, 95 % CI" in told


def test_a_test_and_an_interval_that_disagree_are_both_told():
    told = verdict(made(Estimate(0.03, -0.001, 0.06), p_value=0.04))
    assert "That rests on the paired test alone: the 95 % CI includes 0." in told


@st.composite
def estimates(draw):
    numbers = st.floats(-0.3, 0.3).map(lambda x: round(x, 4))
    low, value, high = sorted([draw(numbers), draw(numbers), draw(numbers)])
    return Estimate(value, low, high)


@st.composite
def ratios(draw):
    low, value, high = sorted(draw(st.lists(st.floats(0.2, 5), min_size=3, max_size=3)))
    bound = draw(st.sampled_from(["exact", "at least", "at most"]))
    return Ratio(
        value, None if bound == "at most" else low, None if bound == "at least" else high, bound
    )


@given(
    estimates(),
    st.none() | st.floats(0, 1),
    st.none() | ratios(),
    st.none() | st.just(0.67),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_no_sentence_claims_what_its_interval_denies(
    difference, p_value, ratio, target, missed, random_missed
):
    comparison = made(
        difference, p_value=p_value, ratio=ratio if target else None, target=target,
        missed=missed, random_missed=random_missed,
    )  # fmt: skip
    row = comparison.rows[1]
    told = sentence(row, comparison)
    proven = p_value is not None and p_value <= 0.05
    alone = "rests on the paired test alone" in told
    if "beat random sampling here" in told:
        assert proven and difference.value >= 0 and (alone or difference.low > 0)
    if "did worse than random sampling here" in told:
        assert proven and difference.value < 0 and (alone or difference.high < 0)
    if "x fewer labels (" in told:
        assert proven and ratio.low > 1
    if "more labels, not fewer" in told:
        assert ratio.high < 1
    if "inconclusive" in told:
        assert (ratio.low is None or ratio.low <= 1) and (ratio.high is None or ratio.high >= 1)
    assert f"{difference.value:+.3f}" in told
    assert told.endswith(".") and ".." not in told and "None" not in told
