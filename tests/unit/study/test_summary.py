import csv
import dataclasses

import numpy as np
import pytest

from alvision.evaluation.curves import area
from alvision.study.markdown import markdown
from alvision.study.summary import COLUMNS, summarise, write_csv
from tests.unit.study.builder import study


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_rows_hold_what_they_say():
    found = study({"margin": 0.03, "entropy": 0.0})
    comparison = summarise(found)
    random, margin, _ = comparison.rows
    areas = [area(x, y) for x, y in zip(found.answers, found.values["margin"], strict=True)]
    assert margin.aubc.value == pytest.approx(np.mean(areas))
    assert margin.aubc.low < margin.aubc.value < margin.aubc.high
    assert margin.difference.value == pytest.approx(margin.aubc.value - random.aubc.value)
    # Pairing takes the split's luck away, so the difference is known far better than the areas.
    assert margin.difference.high - margin.difference.low < margin.aubc.high - margin.aubc.low
    assert margin.ratio.value == pytest.approx(random.labels_to_target / margin.labels_to_target)
    assert margin.p_value == pytest.approx(2 * 2**-7)
    assert random.p_value is random.ratio is random.difference is random.detectable is None
    assert comparison.baseline is random
    assert [row.acquisition for row in comparison.others] == ["margin", "entropy"]


def test_labels_to_target_is_empty_if_a_seed_never_gets_there():
    found = study({"margin": 0.03})
    found.target[3] = 2.0
    comparison = summarise(found)
    assert [row.missed for row in comparison.rows] == [1, 1]
    assert [row.labels_to_target for row in comparison.rows] == [None, None]
    assert comparison.rows[1].ratio is None


def test_a_crossing_in_the_last_round_is_no_claim_for_all_of_its_answers():
    # Random may have got there at 245 answers: nobody saw the round that would have told.
    found = study({"margin": 0.0}, seeds=2)
    found.target[:] = 0.5
    found.values["random_sampling"][:] = [*[0.4] * 12, 0.8]
    found.values["margin"][:] = [0.4, *[0.6] * 12]
    ratio = summarise(found).rows[1].ratio
    assert (ratio.value, ratio.bound) == (pytest.approx(245 / 30), "at least")


@pytest.mark.parametrize(("others", "seeds", "known"), [(1, 6, True), (1, 5, False), (4, 7, False)])
def test_p_values_are_blank_where_none_could_reach_the_level(others, seeds, known):
    comparison = summarise(study({f"s{k}": 0.05 for k in range(others)}, seeds=seeds))
    assert [row.p_value is not None for row in comparison.others] == [known] * others


def test_one_seed_is_enough_for_a_table():
    comparison = summarise(study({"margin": 0.03}, seeds=1))
    assert comparison.rows[1].detectable is None
    assert comparison.rows[1].p_value is None
    text = markdown(comparison)
    rows, legend = text.strip().rsplit("\n\n", 1)
    assert "[" not in rows, "one seed has no interval"
    assert "1 seed, which has no interval" in legend


def test_comparison_csv(tmp_path):
    found = study({"margin": 0.03, "entropy": -0.5})
    comparison = summarise(found)
    write_csv(comparison, tmp_path / "comparison.csv")
    rows = read(tmp_path / "comparison.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [row["acquisition"] for row in rows] == ["random_sampling", "margin", "entropy"]
    assert {row["seeds"] for row in rows} == {"8"}
    assert float(rows[1]["aubc_mean"]) == pytest.approx(comparison.rows[1].aubc.value, rel=1e-5)
    assert float(rows[1]["aubc_low"]) < float(rows[1]["aubc_mean"]) < float(rows[1]["aubc_high"])
    assert float(rows[1]["labels_to_target"]) > 0
    assert float(rows[1]["p_value"]) == 2 * 2**-7
    assert rows[0]["p_value"] == "" != rows[0]["labels_to_target"]
    assert rows[2]["labels_to_target"] == ""
    before = (tmp_path / "comparison.csv").read_bytes()
    write_csv(summarise(found), tmp_path / "comparison.csv")
    assert (tmp_path / "comparison.csv").read_bytes() == before


def test_a_study_without_the_baseline_has_a_table_without_p_values():
    found = study({"margin": 0.03})
    alone = type(found)(**{**vars(found), "acquisitions": ("margin",), "baseline": None})
    comparison = summarise(alone)
    assert comparison.baseline is None
    assert comparison.rows[0].p_value is None
    assert comparison.rows[0].labels_to_target is not None


def test_a_flat_curve_without_a_target_reaches_none():
    found = study({"margin": 0.0}, seeds=2)
    flat = {name: np.full_like(values, 0.5) for name, values in found.values.items()}
    comparison = summarise(dataclasses.replace(found, values=flat, target=None))
    assert [row.labels for row in comparison.rows] == [(None, None)] * 2
    assert comparison.rows[1].ratio is comparison.costs[1].ratio is None
