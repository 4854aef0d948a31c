"""What a begun run may change, and what it says of the rest."""

import pytest
import yaml

from alvision.config.compose import keys
from alvision.core.errors import UserError
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.fixed_settings import (
    FINETUNING,
    MAY_CHANGE,
    PEOPLE_MAY_CHANGE,
    WHY_FIXED,
    claim_run,
    why_fixed,
)
from tests.support.configs import config

GROUPS = {key.rpartition(".")[0] for key in keys()}


def claimed(root, *, people=True, classes=("ok", "worn"), images=None, **values):
    kind = "page" if people else "simulated"
    settings = config(oracle__kind=kind, classes=list(classes), **values)
    described = describe_run(settings, {}, "", classes=classes, anonymous=people, manifest=images)
    return claim_run(root, described, people=people)


@pytest.mark.parametrize("people", [True, False])
def test_every_setting_may_change_or_says_why_not(people):
    for key in keys():
        if key not in GROUPS:
            assert why_fixed(key, people=people) != "", key


def test_every_rule_is_about_a_setting_that_exists():
    for name in (*MAY_CHANGE, *PEOPLE_MAY_CHANGE, *WHY_FIXED, *FINETUNING):
        assert name in keys(), name


@pytest.mark.parametrize(
    "change",
    [
        {"labels__votes": 2},
        {"labels__experts": ["dora"]},
        {"budget__initial": 40},
        {"budget__batch": 5},
        {"budget__audit": 9},
        {"budget__rounds": 3},
        {"cold_start": {"per_class": 0}},
        {"page__port": 9000},
        {"page__blind": True},
        {"defects": ["worn", "ok"]},
        {"defects": None},
        {"classes": ("ok", "bent", "worn")},
    ],
)
def test_what_people_may_change_goes_on_in_the_same_folder(tmp_path, change):
    first = claimed(tmp_path, defects=["worn"])
    again = claimed(tmp_path, **({"defects": ["worn"]} | change))
    assert again["run"] == first["run"]
    assert yaml.safe_load((tmp_path / "experiment.yaml").read_text()) == again
    assert again["config"] != first["config"]
    assert claimed(tmp_path, **({"defects": ["worn"]} | change)) == again


@pytest.mark.parametrize(
    "change, told",
    [
        ({"seed": 1}, r"seed was 0 and is 1 \(the split, the cold start and every draw"),
        ({"audit__share": 0.5}, r"audit\.share was 0\.2 and is 0\.5 \(images that were trained"),
        ({"model__hidden": 8}, r"model\.hidden was 0 and is 8 \(the learning curve would mix"),
        ({"data__image__fit": "crop"}, r"fit was 'squash' and is 'crop' \(every model"),
        ({"data__image__roi": [0, 0, 1, 1]}, r"roi was None and is \[0, 0, 1, 1\]"),
        ({"classes": ("ok", "bent")}, "classes= has lost worn"),
    ],
)
def test_what_is_fixed_is_refused_in_one_line_that_says_why(tmp_path, change, told):
    claimed(tmp_path)
    before = (tmp_path / "experiment.yaml").read_bytes()
    with pytest.raises(UserError, match=told):
        claimed(tmp_path, **change)
    assert (tmp_path / "experiment.yaml").read_bytes() == before


def test_a_simulated_run_keeps_its_budget_and_its_defects(tmp_path):
    claimed(tmp_path, people=False, defects=["worn"])
    with pytest.raises(UserError, match=r"budget\.batch was 20 and is 5 \(a study compares"):
        claimed(tmp_path, people=False, defects=["worn"], budget__batch=5)
    with pytest.raises(UserError, match="defects= has lost worn"):
        claimed(tmp_path, people=False)
    assert claimed(tmp_path, people=False, defects=["worn"], budget__rounds=3)


def test_a_folder_of_an_earlier_version_lets_people_change_their_budget(tmp_path):
    document = claimed(tmp_path)
    document["fingerprint"] |= {"budget.batch": 20, "budget.initial": 20, "labels.votes": 1}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(document))
    assert claimed(tmp_path, budget__batch=5)["run"] == document["run"]


def test_a_simulated_run_of_other_images_is_refused_in_one_line(tmp_path):
    claimed(tmp_path, people=False, images="f0")
    claimed(tmp_path, people=False, images="f0")
    with pytest.raises(UserError, match="begun with other images: since then some were added"):
        claimed(tmp_path, people=False, images="f1")


def test_a_folder_without_a_hash_of_its_images_goes_on(tmp_path):
    claimed(tmp_path, people=False)
    claimed(tmp_path, people=False, images="f1")


LATER = {"trainer__epochs": 12, "trainer__learning_rate": 0.0002, "trainer__accumulate": 2}
EARLIER = {"trainer__epochs": 30, "trainer__learning_rate": 0.0005}


@pytest.mark.parametrize("people", [True, False])
@pytest.mark.parametrize("kept", ["frozen", "auto"])
@pytest.mark.parametrize("given", ["frozen", "auto"])
def test_what_only_finetuning_reads_is_free_where_rounds_are_frozen(tmp_path, people, kept, given):
    first = claimed(tmp_path, people=people, model__training=kept, **EARLIER)
    again = claimed(tmp_path, people=people, model__training=given, **LATER)
    assert again["run"] == first["run"] and again["fingerprint"] == first["fingerprint"]
    assert again == claimed(tmp_path, people=people, model__training=given, **LATER)


@pytest.mark.parametrize("people", [True, False])
def test_a_final_model_stays_finetuned_as_it_was_asked_for(tmp_path, people):
    claimed(tmp_path, people=people, model__training="auto", **EARLIER)
    again = claimed(tmp_path, people=people, model__training="auto", **LATER)
    assert again["config"]["trainer"]["epochs"] == 30
    assert again["config"]["trainer"]["learning_rate"] == 0.0005


def test_augmentation_of_ones_own_is_free_where_rounds_are_frozen(tmp_path):
    first = claimed(tmp_path, model__training="auto")
    own = {"_target_": "albumentations.Compose", "transforms": []}
    again = claimed(tmp_path, model__training="auto", trainer__augment=own)
    assert again["fingerprint"] == first["fingerprint"]


@pytest.mark.parametrize(
    "kept, given", [("finetune", "finetune"), ("finetune", "auto"), ("auto", "finetune")]
)
def test_where_one_of_two_finetunes_its_rounds_the_settings_of_finetuning_count(
    tmp_path, kept, given
):
    claimed(tmp_path, people=False, model__training=kept, **EARLIER)
    with pytest.raises(UserError, match=r"trainer\.epochs was 30 and is 12|and more"):
        claimed(tmp_path, people=False, model__training=given, **LATER)


def test_what_the_head_reads_counts_where_rounds_are_frozen(tmp_path):
    claimed(tmp_path, people=False, model__training="auto")
    with pytest.raises(UserError, match=r"trainer\.weight_decay was 0\.01 and is 0\.1"):
        claimed(tmp_path, people=False, model__training="auto", trainer__weight_decay=0.1)
