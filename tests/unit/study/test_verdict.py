import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from alvision.study.collect import Study, collect
from alvision.study.markdown import markdown, table
from alvision.study.summary import summarise
from alvision.study.verdict import outcome, sentence, verdict
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
    assert verdict(comparison).startswith("Not shown: no strategy beats random in 8 seeds")
    assert "not shown: p = 1 after Holm's correction" in said(comparison, "again")


def claims_in(studies: int, others: int) -> int:
    """Count studies without any difference that are said to show one."""
    count = 0
    for seed in range(studies):
        comparison = summarise(study({f"s{k}": 0.0 for k in range(others)}, seed=seed))
        claimed = set(outcomes(comparison).values()) - {"baseline", "not shown"}
        count += bool(claimed)
        assert verdict(comparison).startswith("Not shown") or claimed
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
    assert told.startswith(
        f"margin needs {ratio.value:.2f} x fewer labels than random to reach macro-F1 0.7"
    )
    assert f"(95 % interval {ratio.low:.2f} to {ratio.high:.2f}, 8 seeds, p = 0.031" in told
    assert "Fewer as well: bald" in told


def test_worse_than_random_is_said_so():
    comparison = summarise(study({"margin": 0.04, "bald": -0.04}))
    assert outcomes(comparison)["bald"] == "worse"
    assert said(comparison, "bald").startswith("bald is worse than random: its macro-F1 is 0.0")
    assert verdict(comparison).endswith("Worse than random: bald.")
    alone = summarise(study({"bald": -0.04}))
    assert verdict(alone) == "Not shown: nothing beats random. Worse than random: bald."


def test_too_few_seeds_say_how_many_it_takes():
    comparison = summarise(study({"margin": 0.04, "bald": 0.04}, seeds=5))
    expected = (
        "2 comparisons with random need at least 7 seeds for a p-value of 0.05; the study has"
    )
    assert f"Not shown: {expected} 5." == verdict(comparison)
    assert f"margin: not shown: {expected} 5; its macro-F1 is" in said(comparison, "margin")


def test_a_small_effect_tells_what_would_have_been_found():
    comparison = summarise(study({"margin": 0.001}, noise=0.02))
    row = comparison.rows[1]
    told = said(comparison, "margin")
    assert f"would find a true difference of {row.detectable:.3f} 4 times out of 5" in told
    assert f"a true gain of {row.detectable:.3f} macro-F1" in verdict(comparison)


def test_a_target_that_the_strategy_misses_is_named():
    found = study({"margin": 0.04})
    target = found.target.copy()
    target[:2] = 2.0
    comparison = summarise(with_target(found, target))
    assert outcomes(comparison)["margin"] == "better"
    told = said(comparison, "margin")
    assert "because it never reaches macro-F1" in told
    assert "in 2 of 8 seeds; but its macro-F1 is 0.0" in told
    assert verdict(comparison).startswith("Not shown how many labels are saved. margin: not shown")


def test_a_target_that_random_misses_gives_a_bound():
    found = study({"margin": 0.06})
    target = found.values["random_sampling"].max(axis=1) + 0.01
    comparison = summarise(with_target(found, target))
    assert comparison.rows[0].missed == 8
    told = verdict(comparison)
    assert told.startswith("margin needs at least ")
    assert "95 % interval from " in told
    assert "random never reaches it in 8 of 8 seeds" in told


def test_without_a_target_only_the_curves_are_compared():
    comparison = summarise(with_target(study({"margin": 0.04}), None))
    assert "because there is no target" in verdict(comparison)
    assert "There is no target" in markdown(comparison)


def test_an_interval_that_covers_1_shows_no_saving():
    found = study({"margin": 0.04})
    # Everybody is there from the start, so nobody saves a label.
    comparison = summarise(with_target(found, np.full(8, 0.01)))
    assert outcomes(comparison)["margin"] == "better"
    assert "its 95 % interval 1.00 to 1.00 does not lie above 1" in verdict(comparison)


def test_without_random_nothing_is_shown(tmp_path):
    out = write_study(tmp_path / "out", study({"margin": 0.04, "bald": 0.04}))
    alone = summarise(collect(out, ["margin", "bald"]))
    assert verdict(alone) == "Not shown: the study has no random_sampling to compare with."
    assert "no random_sampling" in said(alone, "margin")
    only = summarise(collect(out, ["random_sampling"]))
    assert verdict(only) == "Not shown: the study has no acquisition but random_sampling."


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
