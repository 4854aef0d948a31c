"""Random labels from the first to the last: what a study's claims are measured against."""

import dataclasses
import shutil

import numpy as np
import pytest

from alvision.core.errors import UserError
from alvision.evaluation.intervals import mean_interval
from alvision.study.cells import cells
from alvision.study.collect import THROUGHOUT, collect
from alvision.study.export import tables
from alvision.study.markdown import document, legend, markdown
from alvision.study.statistics import paired_tests
from alvision.study.summary import summarise
from alvision.study.verdict import outcome, verdict
from tests.unit.study.builder import study, write_run, write_study

RANDOM = "random labelling from first to last"


def with_throughout(effects, start=0.0, **options):
    """Return a study whose shared first labels are worth `start` to every acquisition."""
    names = ("random_sampling", *effects)
    worth = {name: start + effect for name, effect in effects.items()}
    found = study({"again": 0.0, **worth}, **options)
    values = {name: found.values[name] for name in worth}
    # The builder's own random sampling has no effect: it stands for random from the first on.
    values |= {
        THROUGHOUT: found.values["random_sampling"],
        "random_sampling": found.values["again"],
    }
    values["random_sampling"] = values["random_sampling"] + start
    order = (THROUGHOUT, *names)
    return dataclasses.replace(
        found,
        acquisitions=order,
        baseline=THROUGHOUT,
        values={name: values[name] for name in order},
    )


def row_of(comparison, name):
    return next(row for row in comparison.rows if row.acquisition == name)


def test_every_claim_is_against_random_from_the_first_label():
    found = with_throughout({"margin": 0.03}, start=0.05)
    comparison = summarise(found)
    assert comparison.baseline.acquisition == THROUGHOUT
    assert (comparison.comparisons, comparison.seeds_needed) == (2, 7)
    told = verdict(comparison)
    assert told.startswith(f"margin beat {RANDOM} here: macro-F1 +0.0")
    assert "Fewer labels as well: random_sampling (" in told
    margin = row_of(comparison, "margin")
    areas = {row.acquisition: row.areas for row in comparison.rows}
    assert margin.difference == mean_interval(areas["margin"] - areas[THROUGHOUT])


def test_what_the_choice_after_the_first_labels_adds_has_a_test_of_its_own():
    comparison = summarise(with_throughout({"margin": 0.03, "bald": 0.0}, start=0.05))
    areas = {row.acquisition: row.areas for row in comparison.rows}
    paired = [areas[name] - areas["random_sampling"] for name in ("margin", "bald")]
    expected = paired_tests(paired)
    for name, gain, p_value in zip(("margin", "bald"), paired, expected, strict=True):
        found = row_of(comparison, name).after_start
        assert (found.difference, found.p_value) == (mean_interval(gain), p_value)
    assert row_of(comparison, "random_sampling").after_start is None
    assert row_of(comparison, THROUGHOUT).after_start is None
    told = verdict(comparison)
    gain = row_of(comparison, "margin").after_start
    assert (
        f"Against random sampling after the same first labels it is {gain.difference.value:+.3f} "
        f"(95 % CI {gain.difference.low:+.3f} to {gain.difference.high:+.3f}, "
        f"p = {gain.p_value:.2g})."
    ) in told


@pytest.mark.parametrize(
    ("gain", "ending"),
    [
        (0.0, "so how much of that its choice after them gives is not shown."),
        (-0.03, "the first labels gave the gain, and its choice after them cost some of it."),
    ],
)
def test_a_gain_that_the_first_labels_gave_is_not_called_the_strategys(gain, ending):
    found = with_throughout({"margin": gain}, start=0.08)
    only = [name for name in found.acquisitions if name != "random_sampling"]
    comparison = summarise(found)
    best = row_of(comparison, "margin")
    assert outcome(best) == "fewer"
    said = verdict(dataclasses.replace(comparison, rows=tuple(row_of(comparison, x) for x in only)))
    assert ending in said


def test_random_that_never_gets_there_is_named_in_full():
    found = with_throughout({"margin": 0.06})
    target = found.values[THROUGHOUT].max(axis=1) + 0.01
    told = verdict(summarise(dataclasses.replace(found, target=target)))
    assert f"{RANDOM} never reaches it in 8 of 8 seeds" in told


def test_too_few_seeds_count_every_comparison():
    told = verdict(summarise(with_throughout({"margin": 0.04}, seeds=3)))
    assert told == (
        f"Too few seeds to tell: 2 comparisons with {RANDOM} need at least 7 seeds for a p-value "
        "of 0.05, and the study has 3."
    )


def test_alone_it_is_compared_with_nothing(tmp_path):
    out = write_study(tmp_path / "out", with_throughout({"margin": 0.04}))
    only = summarise(collect(out, [THROUGHOUT]))
    assert (
        verdict(only) == f"Nothing can be compared: the study has no acquisition but {THROUGHOUT}."
    )


def test_the_tables_hold_both_differences_and_say_what_random_is():
    comparison = summarise(with_throughout({"margin": 0.04}, start=0.02))
    lines = [line for line in markdown(comparison).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "difference to random_sampling, same start" in lines[0]
    shown = cells(row_of(comparison, "margin"), comparison)
    assert f"| {shown.after_start.value:+.3f} [" in lines[-1]
    assert lines[-1].endswith(f"{shown.after_start_p_value:.3f} |")
    assert f"{RANDOM} ({THROUGHOUT})" in legend(comparison)
    assert f"{RANDOM} ({THROUGHOUT})" in document(comparison)
    (row,) = [r for r in tables(comparison)["comparison"] if r["acquisition"] == "margin"]
    assert row["after_start"] == shown.after_start.value
    assert row["after_start_p_value"] == shown.after_start_p_value


def test_a_study_without_it_is_reported_as_before():
    comparison = summarise(study({"margin": 0.04}))
    assert comparison.study.same_start == ()
    assert {row.after_start for row in comparison.rows} == {None}
    assert "same start" not in markdown(comparison)
    assert "first labels" not in legend(comparison)
    assert verdict(comparison).startswith("margin beat random sampling here")


def test_it_is_read_first_and_may_differ_in_its_start_alone(tmp_path):
    out = write_study(tmp_path / "out", with_throughout({"margin": 0.04}))
    start = {"cold_start._target_": "alvision.acquisition.random_sampling"}
    for seed in range(8):
        write_run(out, THROUGHOUT, seed, [0.5] * 13, **start)
    found = collect(out)
    assert (found.acquisitions[:2], found.baseline) == ((THROUGHOUT, "random_sampling"), THROUGHOUT)
    assert np.all(found.values[THROUGHOUT] == 0.5)
    write_run(out, THROUGHOUT, 7, [0.5] * 13, **{"model.backbone": "resnet50"})
    with pytest.raises(UserError, match=r"mixes configurations: model\.backbone"):
        collect(out)
    shutil.rmtree(out / THROUGHOUT / "seed-7")
    with pytest.raises(UserError, match=f"{THROUGHOUT} lacks seed 7"):
        collect(out)


def test_acquisitions_may_not_differ_in_their_start(tmp_path):
    out = write_study(tmp_path / "out", with_throughout({"margin": 0.04}))
    write_run(out, "margin", 3, [0.5] * 13, **{"cold_start._target_": "another"})
    with pytest.raises(UserError, match=r"mixes configurations: cold_start\._target_"):
        collect(out)
