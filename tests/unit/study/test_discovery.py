import dataclasses

import numpy as np
import pytest

from alvision.study.discovery import discovery_bands
from alvision.study.export import tables
from alvision.study.found_defects import Found
from alvision.study.markdown import document
from alvision.study.summary import summarise
from alvision.study.verdict import discovery_sentence, verdict
from tests.unit.study.builder import study


def with_found(every, *, seeds=8, total=10, labels=260):
    """Return a study whose strategies find a defect every so many labels, later in each seed."""
    hits = {
        name: [
            np.arange(1, total + 1) * step + seed if step else np.array([], int)
            for seed in range(seeds)
        ]
        for name, step in every.items()
    }
    kept = {name: [own[own <= labels] for own in found] for name, found in hits.items()}
    ends = dict.fromkeys(every, np.full(seeds, labels))
    names = [name for name in every if name != "random_sampling"]
    found = Found(("dent",), np.full(seeds, total), kept, ends)
    return dataclasses.replace(study(dict.fromkeys(names, 0.0), seeds=seeds), found=found)


def test_labels_until_a_share_are_counted_and_compared_by_seed():
    comparison = summarise(with_found({"random_sampling": 24, "rare": 6}))
    random, rare, random_most, rare_most = comparison.discovery
    assert random.labels == tuple(5 * 24.0 + seed for seed in range(8))
    assert (random.text, rare.text, rare_most.text) == ("123.5", "33.5", "51.5")
    assert rare.ratio.value == pytest.approx(123.5 / 33.5)
    assert rare.ratio.low < rare.ratio.value < rare.ratio.high
    assert rare.p_value == 2 * 2**-7  # the least of eight seeds, for two comparisons
    assert rare.fewer and rare_most.fewer
    assert random.ratio is None and random_most.p_value is None


def test_what_a_run_does_not_find_is_said_as_more_than_its_labels():
    comparison = summarise(with_found({"random_sampling": 0, "rare": 6, "margin": 0}))
    random, rare, margin, *_ = comparison.discovery
    assert (random.text, random.reached) == (">260", 0)
    assert rare.ratio.bound == "at least" and rare.ratio.high is None
    assert margin.ratio is None and not margin.fewer
    assert "after >260 labels" in discovery_sentence(comparison)
    assert "at least" in discovery_sentence(comparison)


def test_a_median_between_found_and_not_found_is_a_bound():
    found = with_found({"random_sampling": 10, "rare": 10}, seeds=2)
    found.found.hits["rare"][1] = np.array([], int)
    row = summarise(found).discovery[1]
    assert row.labels == (50.0, None)
    assert row.text == f">{(50 + 260) / 2:g}"


def test_the_verdict_says_who_finds_half_of_the_defects_soonest():
    comparison = summarise(with_found({"random_sampling": 24, "rare": 6, "margin": 12}))
    said = verdict(comparison)
    assert "after 33.5 labels (median; 8 of 8 seeds get there) with rare" in said
    assert said.endswith(f"{discovery_sentence(comparison)}")
    alike = summarise(with_found({"random_sampling": 24, "rare": 24}))
    assert "no strategy was shown to need fewer" in verdict(alike)
    assert discovery_sentence(summarise(study({"margin": 0.04}))) is None
    nobody = with_found({"random_sampling": 100, "rare": 90})  # 260 labels find too few
    assert discovery_sentence(summarise(nobody)) is None


def test_the_curve_begins_without_labels_and_ends_with_what_was_found():
    found = with_found({"random_sampling": 24, "rare": 6})
    bands = discovery_bands(found)
    for name, hits in found.found.hits.items():
        assert bands[name].answers[0] == bands[name].mean[0] == 0
        assert bands[name].mean[-1] == pytest.approx(np.mean([len(own) for own in hits]) / 10)


def test_tables_and_the_document_hold_it_and_a_pool_without_defects_is_left_out():
    found = with_found({"random_sampling": 24, "rare": 6})
    found.found.totals[0] = 0
    comparison = summarise(found)
    rows = tables(comparison)["discovery"]
    assert [row["seeds"] for row in rows] == [7] * 4
    assert rows[1]["labels"] == comparison.discovery[1].text
    assert "## Defects found" in document(comparison)
    found.found.totals[:] = 0
    assert not tables(summarise(found))["discovery_curves"]
