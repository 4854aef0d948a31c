"""What people settled on the page counts in every command."""

from dataclasses import replace
from pathlib import Path

import pytest

from alvision.config.compose import configuration
from alvision.core.errors import UserError
from alvision.dataset.dataset import DataSet, open_label_store
from alvision.dataset.people import (
    as_people,
    begin_anew_if_groups_changed,
    only_people_know,
    people_label,
    with_choices,
    with_labels,
    with_people_choices,
)
from alvision.labels.groups import GroupRule, chosen_groups
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.fixed_settings import claim_run
from tests.support import grey
from tests.unit.labels.conftest import event, undo

PEOPLE = ["oracle=files", "data=folder"]


@pytest.fixture
def root(tmp_path):
    return grey.shades(tmp_path / "parts", 3, 3)


@pytest.fixture
def flat(root, tmp_path):
    """Return the same parts in one folder, which says no class."""
    (tmp_path / "flat").mkdir()
    for path in root.rglob("*.png"):
        path.rename(tmp_path / "flat" / f"{path.parent.name}-{path.name}")
    return tmp_path / "flat"


def say(config, *events):
    with open_label_store(config) as store:
        store.append(events, hash_of=DataSet.open(config).hashes.get)


def test_a_rule_for_groups_counts_where_none_is_configured(root):
    config = configuration([f"data.root={root}", *PEOPLE])
    assert with_people_choices(config).data.group_by == "none"
    say(config, GroupRule("parent").event("anna", "1"))
    assert with_people_choices(config).data.group_by == "parent"
    assert set(DataSet.open(with_people_choices(config)).groups) == {"ok", "worn"}
    say(config, GroupRule("pattern", r"\d+").event("anna", "2"))
    assert with_people_choices(config).data.group_pattern == r"\d+"
    configured = replace(config, data=replace(config.data, group_by="capture_time"))
    assert with_people_choices(configured).data == configured.data
    simulated = configuration([f"data.root={root}"])
    assert with_people_choices(simulated) == simulated


def test_a_rule_can_be_taken_back():
    first, second = GroupRule("parent"), GroupRule("pattern", "a")
    log = [first.event("anna", "1"), second.event("anna", "2")]
    assert chosen_groups(log) == second
    assert chosen_groups([*log, undo("3", "2")]) == first
    assert chosen_groups([]) is None


def test_labels_of_people_are_known_to_whoever_asks_for_the_data(root, flat):
    simulated = configuration([f"data.root={flat}", "data=folder"])
    assert not people_label(simulated) and not only_people_know(simulated)
    people = configuration([f"data.root={flat}", *PEOPLE])
    say(people, event("1", "ok-000.png"), event("2", "", "add", "bent", note="defect"))
    assert only_people_know(simulated) and as_people(simulated).answered_by_people
    data = DataSet.open(as_people(simulated))
    known = with_labels(data.manifest, data.hashes, data.config)
    assert known.truth == ("ok", None, None, None, None, None)
    named = replace(data.manifest, truth=("worn",) * 6)
    assert with_labels(named, data.hashes, data.config).truth == ("worn",) * 6
    config = with_people_choices(as_people(simulated))
    assert (config.classes, config.defects) == (["bent"], ["bent"])


def test_nothing_is_made_up_where_nobody_settled_anything(root):
    config = configuration([f"data.root={root}", *PEOPLE])
    with open_label_store(config) as store:
        assert with_choices(config, store) == config
    with pytest.raises(UserError, match="classes= is missing"):
        assert DataSet.open(config).classes


def begun(config):
    """Take the folder and hold images out, as the loop does before anybody answers."""
    data = DataSet.open(config)
    root = Path(str(config.out))
    described = describe_run(config, {}, "", classes=["ok", "worn"], anonymous=True)
    claim_run(root, described, people=True)
    data.keep_split()
    (root / "rounds" / "000").mkdir(parents=True)
    (root / "rounds" / "000" / "query.csv").write_text("id\n")
    return data


def test_the_rule_for_groups_may_change_until_somebody_answers(root, tmp_path):
    words = [f"data.root={root}", *PEOPLE, "classes=[ok,worn]", f"out={tmp_path / 'run'}"]
    data = begun(configuration(words))
    again = configuration([*words, "data.group_by=parent"])
    sheet = tmp_path / "run" / "rounds" / "000" / "to_label" / "answers.csv"
    sheet.parent.mkdir()
    sheet.write_text("id,label\nok/000.png,ok\n")
    begin_anew_if_groups_changed(again)
    assert sheet.exists(), "a table that somebody has filled in is an answer"
    sheet.write_text("id,label\nok/000.png,\n")
    begin_anew_if_groups_changed(configuration(words))
    assert data.audit_file.exists(), "the same rule"
    begin_anew_if_groups_changed(again)
    assert not data.audit_file.exists() and list((tmp_path / "run").iterdir()) == [
        tmp_path / "run" / ".lock"
    ]
    begun(again)
    say(again, event("1", "ok/000.png"))
    begin_anew_if_groups_changed(configuration(words))
    with pytest.raises(UserError, match=r"data\.group_by was 'parent'.*which images are held out"):
        begun(configuration(words))
