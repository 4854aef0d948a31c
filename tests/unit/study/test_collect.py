import csv
import shutil

import numpy as np
import pytest

from alvision.core.errors import UserError
from alvision.study.collect import collect
from tests.unit.study.builder import study, write_run, write_study


@pytest.fixture
def written(tmp_path):
    return write_study(tmp_path / "out", study({"margin": 0.03}, seeds=12))


def test_runs_are_paired_by_the_seed_in_their_name(written):
    # By name, seed-10 and seed-11 sort before seed-2.
    expected = study({"margin": 0.03}, seeds=12)
    found = collect(written)
    assert found.seeds == tuple(range(12))
    assert found.acquisitions == ("random_sampling", "margin")
    for name in found.acquisitions:
        assert np.allclose(found.values[name], expected.values[name])
    assert np.allclose(found.answers, expected.answers)
    assert np.allclose(found.full, expected.full)
    assert found.config["target"]["metric"] == "macro_f1"


def test_the_target_is_a_share_of_each_seeds_full_data_score(written):
    found = collect(written)
    assert np.allclose(found.target, 0.95 * found.full)
    assert np.allclose(collect(written, target=0.7).target, 0.7)


def test_without_full_runs_there_is_no_target(written):
    shutil.rmtree(written / "full")
    found = collect(written)
    assert found.full is None
    assert found.target is None
    assert np.allclose(collect(written, target=0.7).target, 0.7)


def test_a_part_of_the_study_can_be_read(written):
    found = collect(written, ["margin"], [3, 1])
    assert (found.acquisitions, found.seeds, found.baseline) == (("margin",), (1, 3), None)


def test_an_empty_or_missing_folder_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no study"):
        collect(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        collect(tmp_path / "nowhere")


def test_a_missing_seed_is_named(written):
    shutil.rmtree(written / "margin" / "seed-7")
    with pytest.raises(UserError, match="margin lacks seed 7"):
        collect(written)


def test_a_missing_full_run_is_named(written):
    shutil.rmtree(written / "full" / "seed-7")
    with pytest.raises(UserError, match="full lacks seed 7"):
        collect(written)


def test_an_unfinished_run_is_named(written):
    (written / "margin" / "seed-7" / "metrics.csv").unlink()
    with pytest.raises(UserError, match="seed-7 is not finished"):
        collect(written)


def test_unequal_rounds_are_refused(written):
    write_run(written, "margin", 7, [0.5, 0.6])
    with pytest.raises(UserError, match="unequal rounds: margin/seed-7 has 2"):
        collect(written)


def test_unequal_answers_are_refused(written):
    file = written / "margin" / "seed-7" / "metrics.csv"
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    rows[-1][2] = "999"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    with pytest.raises(UserError, match="margin/seed-7 and random_sampling/seed-7 did not"):
        collect(written)


@pytest.mark.parametrize("name", ["margin", "full"])
def test_differing_configurations_are_refused(written, name):
    rounds = [0.5] * 13 if name == "margin" else [0.5]
    write_run(written, name, 7, rounds, **{"model.backbone": "resnet50"})
    message = f"model.backbone is 'resnet18' in random_sampling/seed-0 and 'resnet50' in {name}"
    with pytest.raises(UserError, match=message):
        collect(written)


@pytest.mark.parametrize("name", ["margin", "full"])
def test_runs_on_other_data_are_refused(written, name):
    rounds = [0.5] * 13 if name == "margin" else [0.5]
    for each in ("random_sampling", "margin"):
        write_run(written, each, 0, [0.5] * 13, manifest="first")
    collect(written)  # runs that do not say what they saw are no contradiction
    write_run(written, name, 7, rounds, manifest="second")
    with pytest.raises(UserError, match=rf"mixes data: {name}/seed-7 saw other images or classes"):
        collect(written)


def test_another_budget_is_refused_but_for_the_full_fit(written):
    write_run(written, "full", 7, [0.8], **{"cold_start._target_": "other", "budget.initial": 1})
    collect(written)
    write_run(written, "margin", 7, [0.5] * 13, **{"budget.batch": 10})
    with pytest.raises(UserError, match=r"budget\.batch"):
        collect(written)


def test_a_metric_must_be_known_and_better_when_higher(written):
    with pytest.raises(UserError, match=r"target\.metric=ece: choose one of accuracy"):
        collect(written, metric="ece")
    with pytest.raises(UserError, match="has no accuracy in every round"):
        collect(written, metric="accuracy")


@pytest.mark.parametrize("name", ["random_sampling", "margin"])
def test_a_study_does_not_mix_features_that_are_standardised_with_others(tmp_path, name):
    for each in ("random_sampling", "margin"):
        features = None if each == name else "standardised"
        write_run(tmp_path, each, 0, [0.5, 0.6], features=features)
    with pytest.raises(UserError, match=rf"features: {name}/seed-0 was begun by an earlier"):
        collect(tmp_path)
