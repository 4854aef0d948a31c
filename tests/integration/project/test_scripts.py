"""The scripts that write measured tables into documents."""

import importlib.util
import json
import shutil
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import PROJECT
from tests.unit.study.builder import study, write_study

JUNIT = """<testsuites><testsuite>
<testcase name="test_killed_many_times[0]" time="31.4"><properties>
<property name="kills" value="3"/></properties></testcase>
<testcase name="test_killed_many_times[1]" time="30.0"><properties>
<property name="kills" value="4"/></properties><failure/></testcase>
<testcase name="test_full_disk" time="0.2"/>
</testsuite></testsuites>"""


def script(name: str) -> ModuleType:
    """Import a script, which finds its neighbours as if it were run."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "scripts" / f"{name}.py")
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


blocks, soak, readme_demo = script("blocks"), script("soak"), script("readme_demo")
figures = script("figures")
on_data = script("acquisition_on_data")
discovery = script("measure_discovery")


@given(before=st.text(), old=st.text(), new=st.text(), after=st.text())
def test_a_block_is_replaced_and_nothing_else(before, old, new, after):
    begin, end = "<!-- a:begin -->", "<!-- a:end -->"
    text = blocks.replace_block(f"{before}{begin}{old}{end}{after}", "a", new)
    assert text == f"{before}{begin}\n{new.strip()}\n{end}{after}"
    assert blocks.replace_block(text, "a", new) == text


@pytest.mark.parametrize("text", ["", "<!-- a:begin -->", "<!-- a:end --><!-- a:begin -->"])
def test_a_text_without_the_block_is_refused(text):
    with pytest.raises(ValueError, match="a:begin"):
        blocks.replace_block(text, "a", "new")


def test_the_soak_table_adds_up_a_test_s_parameters():
    assert soak.table(JUNIT).splitlines() == [
        "| test | times | passed | counted | seconds |",
        "| --- | ---: | ---: | --- | ---: |",
        "| killed many times | 2 | 1 | kills 7 | 61 |",
        "| full disk | 1 | 1 |  | 0 |",
    ]


def test_the_page_has_the_block_that_soak_fills():
    text = soak.PAGE.read_text(encoding="utf-8")
    assert "new" in blocks.replace_block(text, "soak", "new")


def test_a_study_goes_into_the_readme_and_only_into_its_block(tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(PROJECT / "README.md", tmp_path)
    runs = write_study(tmp_path / "runs", study({"margin": 0.03}))
    readme_demo.write([runs], tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "**margin beat random sampling here" in text
    assert "| random_sampling | 8 |" in text
    before = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert blocks.replace_block(text, "demo", "") == blocks.replace_block(before, "demo", "")
    readme_demo.write([runs, runs], tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.count("| random_sampling | 8 |") == 2
    assert "solar cells" in text and "steel with seven kinds" in text
    for name in readme_demo.PICTURES:
        picture = tmp_path / name
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 150_000


def test_strategies_on_data_are_ordered_and_compared_with_random_by_fold():
    areas = {
        "random_sampling": np.array([0.5, 0.6]),
        "margin": np.array([0.6, 0.7]),
        "worse": np.array([0.4, 0.7]),
    }
    lines = on_data.table({"ELPV": areas}).splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == ["margin", "random_sampling", "worse"]
    assert lines[0].endswith("| +0.100 (+0.100 to +0.100) | 2 of 2 |")
    assert lines[2].endswith("| 1 of 2 |")
    assert on_data.configured()[0] == "random_sampling" and "mixture" in on_data.configured()
    text = on_data.PAGE.read_text(encoding="utf-8")
    assert "new" in blocks.replace_block(text, "data", "new")


def test_a_missed_target_is_named_and_shows_in_the_exit_status(capsys, monkeypatch, tmp_path):
    page, rows = tmp_path / "page.md", [figures.figure("work", "s", 2.0, 3.0, 1.5)]
    page.write_text("<!-- b:begin -->\n<!-- b:end -->\n")
    monkeypatch.setattr(sys, "argv", ["x", "--write", "--json", str(tmp_path / "rows.json")])
    for target, status in ((1.5, 0), (1.6, 1)):
        rows[0]["target"] = target
        with pytest.raises(SystemExit) as ended:
            figures.main("Work.", {"part": lambda quick: rows}, page=(page, "b"))
        assert ended.value.code == status
    assert capsys.readouterr().err.endswith("missed: work, s\n")
    assert "| work | s | 2 | 3 | 1.50 | 1.6 |\n<!-- b:end" in page.read_text()
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert figures.missed([figures.figure("work", "s", 2.0, 1.0, figures.NO_TARGET)]) == []


@pytest.mark.parametrize(("unit", "ratio"), [("s", 2), ("MB", 2), ("images/s", 0.5)])
def test_a_benchmark_s_ratio_is_higher_where_ours_is_better(unit, ratio):
    row = figures.figure("work", unit, 2.0, 4.0)
    assert list(row.values()) == ["work", unit, 2, 4, ratio, 1]
    assert figures.table([row]).splitlines()[2] == f"| work | {unit} | 2 | 4 | {ratio:.2f} | 1 |"


def test_what_a_part_of_the_protocol_took_is_scaled_to_the_whole():
    script("baal_protocol")
    experiment = script("benchmark_experiment")
    assert len(set(experiment.STRATEGIES)) == 8
    names = {path.stem for path in (PROJECT / "configs" / "acquisition").glob("*.yaml")}
    assert set(experiment.STRATEGIES) <= names
    parts = {
        "train": {"images": 10, "s": 2.0},  # 20 + 40 + ... + 320 labels
        "pool": {"images": 5, "s": 1.0},  # 500 - 20, 500 - 40, ..., 500 - 300
        "held out": {"images": 4, "s": 1.0},  # 100, 16 times
    }
    whole = experiment.scale(parts, {"pool": 500, "held out": 100}, "s")
    assert whole == pytest.approx(2720 / 5 + (15 * 500 - 2400) / 5 + 1600 / 4)


def test_defects_are_counted_in_the_order_in_which_they_were_asked_for(tmp_path):
    for number, rows in enumerate(["a,ok b,bad", "c,bad d,ok e,bad"]):
        folder = tmp_path / "rounds" / f"{number:03d}"
        folder.mkdir(parents=True)
        ids = [row.split(",")[0] for row in rows.split()]
        asked = [f"{id},{rank}" for rank, id in enumerate(reversed(ids))]
        (folder / "query.csv").write_text("\n".join(["id,rank", *asked]))
        answers = [f"{row.split(',')[0]},label,{row.split(',')[1]}" for row in rows.split()]
        (folder / "answers.csv").write_text("\n".join(["id,kind,label", *answers]))
    assert discovery.found(tmp_path, "bad") == ([1, 3, 5], 5)
    assert discovery.until([1, 3, 5], 4, 0.8) == float("inf")
