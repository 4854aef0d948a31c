"""`compare` and `report` on a study, as their user calls them."""

import csv
import shutil
from dataclasses import replace

import pytest

from alvision.cli.compare import _devices, _jobs, arm_words, finished, with_random
from alvision.config.compose import compose
from alvision.config.schema import ModelConfig, RunConfig, TrainerConfig
from alvision.run_folder.round_files import write_metrics_table
from tests.integration.cli.test_run import table
from tests.integration.conftest import TINY
from tests.unit.study.builder import write_run

MORE = ["data.root=parts", *TINY, "budget.rounds=1"]
WORDS = ["out=study", *MORE]


@pytest.mark.slow
def test_a_comparison_pairs_by_seed_and_resumes(run, tmp_path):
    words = ["compare", "acquisition=[random_sampling,entropy]", *WORDS]
    status, out, err = run(*words, "seeds=1", "jobs=1")
    assert (status, err) == (0, "")
    assert "Too few seeds to tell" in out
    study = tmp_path / "study"
    first = {p: p.read_bytes() for p in study.glob("*/seed-0/rounds/*/*")}
    assert run(*words, "seeds=2", "jobs=1")[0] == 0
    assert first == {p: p.read_bytes() for p in study.glob("*/seed-0/rounds/*/*")}
    rows = table(study / "comparison.csv")
    assert [(row["acquisition"], row["seeds"]) for row in rows] == [
        ("random_throughout", "2"),
        ("random_sampling", "2"),
        ("entropy", "2"),
    ]
    for seed in (0, 1):
        queries = [
            (study / name / f"seed-{seed}" / "rounds" / "000" / "query.csv").read_bytes()
            for name in ("random_sampling", "entropy")
        ]
        assert queries[0] == queries[1], "paired from the same first labels"
    page = study / "report.html"
    page.unlink()
    (study / "comparison.csv").unlink()
    status, told, _ = run("report", "out=study")
    assert status == 0
    assert "Too few seeds to tell" in told
    assert page.exists()
    assert table(study / "comparison.csv") == rows


def test_a_study_of_other_settings_is_refused_before_anything_is_run(run, tmp_path):
    study = tmp_path / "study"
    for name in NAMES:
        write_run(study, name, 0, [0.5, 0.6])
    (study / "report.html").write_text("of the study as it is")
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    status, out, err = run("compare", "acquisition=[random_sampling,margin]", *WORDS, "seeds=1")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "study mixes features: random_sampling/seed-0 was begun" in err
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before


NAMES = ["random_sampling", "margin"]


@pytest.mark.parametrize(
    ("names", "start", "runs"),
    [
        (NAMES, ["cold_start=max_herding"], ["random_throughout", *NAMES]),
        (NAMES, ["cold_start=random", "cold_start.per_class=5"], ["random_throughout", *NAMES]),
        # Random sampling from a random start is random from the first label on: it is run once.
        (NAMES, ["cold_start=random", "cold_start.per_class=0"], NAMES),
        (
            ["margin"],
            ["cold_start=random", "cold_start.per_class=0"],
            ["random_throughout", "margin"],
        ),
    ],
)
def test_random_from_the_first_label_is_run_where_nothing_else_is_it(names, start, runs):
    assert with_random(names, compose(["data=digits", *start])) == runs


def test_random_from_the_first_label_takes_nothing_of_the_other_functions():
    words = ["data=digits", "cold_start=prob_cover", "cold_start.clusters=3"]
    words += ["cold_start.known_defects=2", "cold_start.per_class=5", "+acquisition.beta=2"]
    words += ["classes=[a,b]", "defects=[a]"]
    made = compose(arm_words("random_throughout", words))
    assert (made.choices["acquisition"], made.choices["cold_start"]) == (
        "random_sampling",
        "random",
    )
    assert made.config.cold_start["per_class"] == 0
    assert made.config.cold_start["known_defects"] == 2
    full = compose(arm_words("full", words))
    assert (full.config.budget.initial, full.config.budget.rounds) == ("all", 0)
    assert arm_words("margin", words) == [*words, "acquisition=margin"]


def test_a_run_whose_table_lacks_its_last_row_is_not_finished(tmp_path):
    folder = tmp_path / "margin" / "seed-0"
    metrics = folder / "rounds" / "001" / "metrics.json"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("{}")
    assert not finished(folder, rounds=1)
    for rows, done in ((1, False), (2, True)):
        write_metrics_table(folder / "metrics.csv", [{"round": k} for k in range(rows)], ())
        assert finished(folder, rounds=1) is done


def test_a_whole_net_is_trained_once_a_gpu_or_once():
    config = RunConfig(model=ModelConfig(training="finetune"))
    assert [_jobs(config, 20, devices=count) for count in (0, 1, 4)] == [1, 1, 4]
    assert _jobs(config, 3, devices=4) == 3
    assert _devices(replace(config, trainer=TrainerConfig(devices=2))) == []


@pytest.mark.slow
def test_jobs_at_once_give_what_one_at_a_time_gives(run, tmp_path):
    words = ["compare", "acquisition=[random_sampling,margin]", *WORDS, "seeds=2"]
    assert run(*words, "jobs=1")[0] == 0
    one = (tmp_path / "study" / "comparison.csv").read_bytes()
    shutil.rmtree(tmp_path / "study")
    assert run(*words, "jobs=2")[0] == 0
    assert (tmp_path / "study" / "comparison.csv").read_bytes() == one


@pytest.mark.slow
def test_a_sweep_is_a_study_too(run, tmp_path):
    words = ["run", "-m", "acquisition=random_sampling,margin", "seed=0,1", *WORDS]
    assert run(*words)[0] == 0
    assert run("report", "out=study")[0] == 0
    with (tmp_path / "study" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        assert {row["acquisition"] for row in csv.DictReader(file)} == {"random_sampling", "margin"}


@pytest.mark.slow
def test_bad_studies_are_one_line(run, tmp_path):
    for words, told in [
        (["compare", "seeds=none", *WORDS], "seeds=none"),
        (["compare", "seed=3", *WORDS], "seeds=N"),
        (["compare", "acquisition=[margin,nothing]", *WORDS], "nothing"),
        (["compare", "acquisition=[]", *WORDS], "names nothing"),
        (["compare", "acquisition=[random_throughout]", *WORDS], "random_throughout"),
        (["compare", "oracle=files", "classes=[ok,worn]", *WORDS], "leave oracle="),
        (["labels", "export"], "data.root="),
        (["compare", "acquisition=[margin,margin]", "seeds=1", *WORDS], "twice"),
        (["report", "out=parts"], "parts"),
    ]:
        status, _, err = run(*words)
        assert status == 2, words
        assert err.count("\n") == 1
        assert told in err


@pytest.mark.slow
def test_what_cannot_be_compared_is_said_on_the_page(run, tmp_path):
    words = ["run", "-m", "acquisition=random_sampling,margin", "seed=0", *WORDS]
    assert run(*words)[0] == 0
    extra = tmp_path / "parts" / "ok" / "one more.png"
    shutil.copy(tmp_path / "parts" / "ok" / "000.png", extra)
    assert run("run", "acquisition=margin", "seed=1", "out=study/margin/seed-1", *MORE)[0] == 0
    other = ["acquisition=random_sampling", "seed=1", "out=study/random_sampling/seed-1", *MORE]
    extra.unlink()
    assert run("run", *other)[0] == 0
    status, _, err = run("report", "out=study")
    assert status == 2
    assert "mixes data: margin/seed-1 saw other images" in err
    assert "mixes data" in (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "study" / "comparison.csv").exists()
