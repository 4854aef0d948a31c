import numpy as np
import pytest

from alvision import study as room
from alvision.study.export import frames, tables, to_csv, to_markdown
from alvision.study.per_class import read_details
from alvision.study.summary import summarise
from tests.unit.reporting.builder import study_folder
from tests.unit.study.builder import study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return study_folder(
        tmp_path_factory.mktemp("study") / "out",
        {"random_sampling": 0.2, "margin": 1.0},
        seeds=2,
        rounds=2,
    )


def test_the_tables_are_read_from_a_folder(folder):
    comparison = room.read(folder)
    found = tables(comparison)
    assert {name: len(rows) for name, rows in found.items()} == {
        "comparison": 2,
        "pairs": 1,
        "seeds": 4,
        "curves": 4,
        "runs": 8,
        "classes": 6,
        "costs": 2,
        "discovery": 4,
        "discovery_curves": 6,
    }
    assert found["seeds"][3]["full"] == comparison.study.full[1]
    rarest = [row["class"] for row in found["classes"] if row["rarest"]]
    assert rarest == ["inclusion", "inclusion"]
    f1 = [row["f1"] for row in found["classes"] if row["acquisition"] == "margin"]
    assert np.mean(f1) == pytest.approx(comparison.rows[1].aubc.value)


def test_data_frames_hold_the_same():
    comparison = summarise(study({"margin": 0.04}))
    found = frames(comparison)
    assert found["classes"].empty
    table = found["comparison"].set_index("acquisition")
    assert table.loc["margin", "aubc"] == comparison.rows[1].aubc.value
    assert found["runs"].groupby("acquisition")["macro_f1"].mean()["margin"] == pytest.approx(
        comparison.study.values["margin"].mean()
    )
    assert len(found["runs"]) == 2 * 8 * 13


def test_csv_and_markdown_leave_blanks():
    rows = tables(summarise(study({"margin": 0.04}, seeds=2)))["comparison"]
    text = to_csv(rows)
    assert text.splitlines()[0].startswith("acquisition,seeds,aubc,aubc_low")
    assert text.splitlines()[1].endswith(",,")
    lines = to_markdown(rows).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert to_csv([]) == to_markdown([]) == ""


def test_details_are_absent_where_a_round_is(folder, tmp_path):
    runs = {"margin": [folder / "margin" / "seed-0"]}
    assert read_details(runs, 2, ("ok",)).seconds is None
    assert read_details(runs, 3, ("ok",)) is None
