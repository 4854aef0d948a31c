"""One data set for the page, the loop and the final model: they must never disagree."""

import numpy as np
import pytest
from PIL import Image

from alvision.cli.label import page_context
from alvision.config.compose import compose, configuration
from alvision.core.errors import UserError
from alvision.data.hashes import content_hashes
from alvision.data.parts import RecordedParts, audit_split
from alvision.data.splits import group_keys
from alvision.dataset.dataset import DataSet
from alvision.dataset.people import with_choices
from tests.unit.labels.conftest import event


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """Return the words for 60 photographs that are each saved twice, which nobody has labelled."""
    monkeypatch.chdir(tmp_path)
    dice = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(60):
        picture = Image.fromarray(dice.integers(0, 256, (16, 16, 3), np.uint8))
        for copy in "ab":
            picture.save(tmp_path / "photos" / f"{copy}{number:02d}.png")
    return ["data.root=photos", "classes=[ok,worn]"]


def test_the_page_holds_out_what_the_loop_holds_out(twice, monkeypatch):
    data = DataSet.open(configuration(["oracle=page", *twice]))
    with data.label_store() as store:
        page = page_context(data, store)
    assert not data.audit_file.exists()

    # The loop knows all hashes, and writes the parts down.
    loop = DataSet.open(compose(["oracle=page", *twice]).config)
    groups = group_keys(loop.manifest, loop.hashes)
    whole = audit_split(loop.manifest, groups, {}, share=0.2, known=RecordedParts())
    assert page.held_out == set(whole.held_out) == set(loop.split.held_out)
    loop.keep_split()
    later = DataSet.open(configuration(["oracle=page", *twice]))
    assert later.split == loop.split == whole
    assert page.held_out == {f"{copy}{id[1:]}" for id in page.held_out for copy in "ab"}


def test_opening_hashes_nothing(twice, monkeypatch):
    def refuse(*_):
        raise AssertionError("no file may be hashed for the page's first image")

    monkeypatch.setattr("alvision.dataset.dataset.content_hashes", refuse)
    data = DataSet.open(configuration(["oracle=page", *twice]))
    with data.label_store() as store:
        assert len(page_context(data, store).paths) == 120


def test_a_configuration_is_never_changed(twice):
    config = configuration(["oracle=page", *twice])
    with pytest.raises(AttributeError):
        config.seed = 3
    with pytest.raises(AttributeError):
        config.data.image.size = 3


def test_classes_added_on_the_page_are_the_runs(twice):
    data = DataSet.open(configuration(["oracle=page", *twice, "defects=[worn]"]))
    with data.label_store() as store:
        added = event("1", "", "add", "bent", note="defect")
        store.append([added], hash_of=lambda id: None)
        config = with_choices(data.config, store)
    assert config.classes == ["ok", "worn", "bent"] and config.defects == ["worn", "bent"]
    assert data.config.classes == ["ok", "worn"]


def test_without_classes_the_page_opens_and_whoever_asks_for_them_hears_why(twice):
    data = DataSet.open(configuration(["oracle=page", twice[0]]))
    with pytest.raises(UserError, match="classes= is missing"):
        assert data.classes
    with data.label_store() as store:
        assert page_context(data, store).classes == ()


def test_a_simulated_run_is_measured_by_the_truth_and_people_are_not(parts):
    simulated = DataSet.open(configuration([f"data.root={parts}"]))
    assert simulated.classes == ("ok", "worn")
    assert set(simulated.held_out_truth) == set(simulated.manifest.ids)
    assert simulated.evaluation_ids == simulated.split.held_out and not simulated.audit_order
    people = DataSet.open(
        configuration([f"data.root={parts}", "oracle=files", "classes=[ok,worn]"])
    )
    assert not people.held_out_truth
    assert people.evaluation_ids == people.split.monitor
    assert sorted(people.audit_order) == list(people.split.held_out)
    assert simulated.content_hash == people.content_hash


def test_the_content_hash_does_not_depend_on_where_the_data_is(parts, tmp_path):
    before = DataSet.open(configuration([f"data.root={parts}"])).content_hash
    moved = parts.rename(tmp_path / "moved")
    assert DataSet.open(configuration([f"data.root={moved}"])).content_hash == before


def test_groups_are_those_of_full_hashing(twice):
    data = DataSet.open(configuration(twice))
    assert data.groups == group_keys(data.manifest, content_hashes(data.manifest))


def test_a_simulated_run_is_split_by_its_seed_and_by_class(parts):
    def held_out(*words):
        return DataSet.open(configuration([f"data.root={parts}", *words])).split.held_out

    splits = [held_out("audit.share=0.25", f"seed={seed}") for seed in range(3)]
    assert len(set(splits)) == 3, "people's images are held out whatever the seed"
    for ids in splits:
        assert (len(ids), sum(id.startswith("worn/") for id in ids)) == (9, 3)
    folds = [held_out(f"data.fold={fold}") for fold in range(5)]
    assert sorted(id for fold in folds for id in fold) == sorted(
        path.relative_to(parts).as_posix() for path in parts.rglob("*.png")
    )
