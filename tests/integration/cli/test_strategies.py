"""Strategies that are made of others or read labels, through the command as its user calls it."""

import csv

import pytest

from tests.integration.conftest import TINY


def query(folder, number):
    with (folder / "rounds" / f"{number:03d}" / "query.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_mixture_of_two_scores_and_of_defects_leaves_its_slots(run, tmp_path):
    own = tmp_path / "configs" / "acquisition"
    own.mkdir(parents=True)
    score = "{{_target_: alvision.acquisition.{}, _partial_: true}}"
    part = "{{_target_: alvision.acquisition.top_k, _partial_: true, score: {}}}"
    (own / "mine.yaml").write_text(
        "_target_: alvision.acquisition.mixture\n_partial_: true\nparts:\n"
        f"  margin: {part.format(score.format('margin'))}\n"
        f"  bald: {part.format(score.format('bald'))}\n"
        "  defects: {_target_: alvision.acquisition.similar_to_defects, _partial_: true}\n"
        "  random: {_target_: alvision.acquisition.random_sampling, _partial_: true}\n"
        "weights: {margin: 1, bald: 1, defects: 1, random: 1}\n"
    )
    words = ["data.root=parts", "acquisition=mine", "cold_start=max_herding", "out=o", *TINY]
    status, _, err = run("run", *words)
    assert status == 2 and "defects=[...]" in err
    assert run("run", *words, "defects=[worn]")[::2] == (0, "")
    rows = query(tmp_path / "o", 2)
    assert [row["slot"] for row in rows] == ["margin", "bald", "defects", "random"]
    assert [bool(row["propensity"]) for row in rows] == [False, False, False, True]
    assert rows[2]["reason"].startswith("like the defects found so far")
    assert rows[3]["reason"] == "drawn at random"
    assert {row["slot"] for row in query(tmp_path / "o", 0)} == {"cold_start"}


def test_weights_and_cold_starts_that_cannot_be_are_refused_in_one_line(run):
    words = ["data.root=parts", "out=o", "defects=[worn]", *TINY]
    status, _, err = run("run", "acquisition=mixture", "acquisition.weights.margin=-1", *words)
    assert status == 2 and "mixture: weights margin -1" in err and err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixture", "class_balanced", "similar_to_defects"])
def test_the_configured_ones_run(run, tmp_path, name):
    words = ["data.root=parts", f"acquisition={name}", "defects=[worn]", "out=o", *TINY]
    assert run("run", *words)[::2] == (0, "")
    assert len(query(tmp_path / "o", 2)) == 4
