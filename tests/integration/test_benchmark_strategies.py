"""The benchmark's data come back as they were, and its page says what the numbers say."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from alvision import CONFIG_DIR
from alvision.study.collect import collect
from alvision.study.summary import summarise
from tests.support import PROJECT
from tests.unit.study.builder import study, write_study

sys.path.append(str(PROJECT / "scripts"))
import benchmark_strategies as benchmark
from strategy_study import page, results
from strategy_study.protocols import PROTOCOLS, SUBSET


def names(folder):
    return {path.stem for path in (CONFIG_DIR / folder).glob("*.yaml")}


def test_what_is_run_exists_and_is_enough():
    for protocol in PROTOCOLS.values():
        assert protocol.experiment in names("experiment")
        assert set(protocol.strategies) <= names("acquisition")
        enough = (4, 8) if protocol.finetuned else (8, 12)
        assert (len(protocol.strategies), protocol.seeds) >= enough
        assert protocol.strategies[0] == "random_sampling"
    assert sum(protocol.finetuned for protocol in PROTOCOLS.values()) == 2
    run = {protocol.experiment for protocol in PROTOCOLS.values()}
    assert run == names("experiment") - {"folder"}, "every protocol that is shipped"
    for name, strategies in SUBSET.items():
        assert set(strategies) <= set(PROTOCOLS[name].strategies)
        assert not PROTOCOLS[name].needs_steel


def test_the_curves_that_are_kept_give_the_study_again(tmp_path):
    out = write_study(tmp_path / "runs", study({"margin": 0.03, "bald": 0.0}))
    results.write_curves(results.curves(out), tmp_path / "digits.csv")
    kept, found = results.study_of(tmp_path / "digits.csv"), collect(out)
    assert (kept.acquisitions, kept.seeds, kept.metric) == (
        found.acquisitions, found.seeds, found.metric
    )  # fmt: skip
    for name in found.acquisitions:
        np.testing.assert_allclose(kept.values[name], found.values[name], atol=1e-6)
    np.testing.assert_allclose(kept.full, found.full, atol=1e-6)
    np.testing.assert_array_equal(kept.answers, found.answers)
    assert kept.details is None


def test_picks_differ_where_anything_that_was_asked_differs(tmp_path):
    def run(name, *rounds):
        for number, ids in enumerate(rounds):
            folder = tmp_path / "study" / name / "seed-0" / "rounds" / f"{number:03d}"
            folder.mkdir(parents=True)
            text = "\n".join(["id,rank", *(f"{id},{rank}" for rank, id in enumerate(ids))])
            (folder / "query.csv").write_text(text + "\n")

    run("margin", "ab", "cd")
    run("badge", "ab", "dc")
    run("bald", "abc", "d")
    run("full", "abcd")
    shutil.copytree(tmp_path / "study" / "margin", tmp_path / "study" / "entropy")
    found = results.all_picks(tmp_path / "study", "digits")
    assert set(found) == {("digits", n, 0) for n in ("badge", "bald", "entropy", "margin")}
    assert found["digits", "entropy", 0] == found["digits", "margin", 0]
    assert len(set(found.values())) == 3
    results.write_picks(found, tmp_path / "picks.csv")
    assert results.read_picks(tmp_path / "picks.csv") == found


@pytest.fixture(scope="module")
def found():
    clear = study({"margin": 0.05, "badge": 0.001, "bald": -0.05}, seeds=12)
    nothing = study({"margin": 0.0, "badge": 0.0}, seeds=12, noise=0.02, seed=1)
    return {"elpv": summarise(clear), "elpv_noisy": summarise(nothing)}


def test_the_page_says_who_wins_who_loses_and_where_nothing_is_shown(found):
    text = page.page(found)
    first, *rest = text.splitlines()
    assert first.startswith("- **Start with `margin`.** Over 2 protocols")
    assert "better than random in 1 (elpv) and worse in none" in first
    assert "over the curve is +0.0" in first
    assert "- Not run yet: digits, repeated_digits, xsdd, " in text
    assert "Run in part" not in text
    assert "- `bald` was shown to be better than random in none and worse in 1 (elpv)." in rest
    assert "- Nothing was shown to beat random on elpv_noisy." in rest
    glance = next(line for line in rest if line.startswith("| margin | **+0.0"))
    assert glance.count("**") == 2, "bold where it is shown"
    assert next(line for line in rest if line.startswith("| bald | _-0.0")).endswith("|  |")
    advice = [line for line in rest if line.startswith("| good parts and bad ones")]
    assert advice == ["| good parts and bad ones, with doubtful cases (elpv) | margin |  |"]
    assert "(not shown) |" in text
    assert text.count("x fewer than random") == 2, "a table for each protocol"


def test_a_protocol_of_fewer_seeds_says_so():
    part = summarise(study({"margin": 0.05}, seeds=8))
    assert "- Run in part: elpv (8 of 12 seeds)." in page.page({"elpv": part})


def test_too_few_seeds_are_curves_without_a_verdict(found):
    few = summarise(study({"margin": 0.05, "badge": 0.0, "k_center": 0.0}, seeds=2))
    text = page.page(found | {"elpv_small_cnn": few})
    assert "- Finetuned, elpv_small_cnn: Too few seeds to tell: 3 comparisons" in text
    assert "- Nothing was shown to beat random on elpv_noisy." in text, "nothing could be shown"
    assert f"| {PROTOCOLS['elpv_small_cnn'].data}" not in text


def test_batch_bald_minus_bald_has_its_interval():
    pair = summarise(study({"bald": 0.0, "batch_bald": 0.04}, seeds=12))
    (line,) = page.batch_bald({"repeated_digits": pair}).splitlines()
    assert line.startswith("- repeated_digits: +0.0")
    assert "12 seeds, p = 0.00049" in line
    assert page.batch_bald({"elpv": summarise(study({"bald": 0.0}))}) == ""


def test_the_cost_of_labels_is_told_in_minutes(found):
    (margin,) = (row for row in page.cost(found["elpv"]).splitlines() if "| margin |" in row)
    assert margin.startswith("| margin | 13.0 [13.0, 13.0] |")  # 260 answers of 3 seconds


def test_curves_of_another_protocol_are_counted_once_and_told_in_minutes(found):
    text = page.page(found | {"elpv_cost": found["elpv"]})
    assert text.splitlines()[0] == page.page({**found}).splitlines()[0], "no more evidence"
    assert "| strategy | elpv | elpv_noisy |" in text
    assert "| defects that take longer to label" not in text
    assert "elpv_cost asks for the same images as elpv and adds the minutes of labelling." in text
    (sentence,) = (x for x in text.splitlines() if x.startswith("- elpv_cost"))
    assert "Of 3 strategies margin was shown to reach the target in less time" in sentence
    assert "margin, which needs " in sentence and " x less time." in sentence
    assert "### elpv_cost\n" in text and text.count("x less than random |") == 1


def test_minutes_without_a_target_compare_nothing(found):
    never = [replace(row, ratio=None) for row in found["elpv"].costs]
    sentence = page.in_minutes("elpv_cost", replace(found["elpv"], costs=never))
    assert "No strategy reaches the target in enough seeds to compare its time" in sentence


def test_the_page_is_written_from_the_data_alone(tmp_path):
    out = write_study(tmp_path / "runs", study({"margin": 0.03, "bald": 0.0}, seeds=12))
    results.write_curves(results.curves(out), tmp_path / "digits.csv")
    shutil.copy(benchmark.PAGE, tmp_path / "page.md")
    benchmark.write_page(tmp_path, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "### digits\n" in text and "### elpv\n" not in text
    assert text.startswith(benchmark.PAGE.read_text(encoding="utf-8").partition("<!--")[0])


def test_steel_must_be_named(capsys):
    with pytest.raises(SystemExit) as ended:
        benchmark.main(["--protocol", "xsdd"])
    assert "--xsdd FOLDER" in str(ended.value.code)


@pytest.mark.slow
def test_a_protocol_is_run_kept_and_resumed(tmp_path, monkeypatch):
    protocol = replace(PROTOCOLS["digits"], more=("budget.rounds=1",))
    monkeypatch.setitem(PROTOCOLS, "digits", protocol)
    monkeypatch.setattr(benchmark, "SUBSET", {"digits": ("random_sampling",)})
    out, kept = tmp_path / "digits", tmp_path / "kept"
    benchmark.make(protocol, out, seeds=1, strategies=("random_sampling",))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("rounds/*/*")}
    benchmark.make(protocol, out, seeds=1, strategies=("random_sampling",))
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("rounds/*/*")}
    benchmark.keep(protocol, out, kept)
    assert benchmark.check(kept) == []
    changed = {("digits", "random_sampling", 0): "0" * 64}
    results.write_picks(changed, kept / results.PICKS)
    assert benchmark.check(kept) == ["digits random_sampling seed 0"]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not (benchmark.RESULTS / "picks.csv").exists(), reason="the benchmark has not been run yet"
)
def test_the_subset_asks_for_the_same_images_again(monkeypatch):
    monkeypatch.setenv("ALVISION_CACHE", "unused")
    assert benchmark.check(benchmark.RESULTS) == []
