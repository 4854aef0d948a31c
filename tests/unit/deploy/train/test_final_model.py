from dataclasses import replace

import pytest

from alvision.core.errors import UserError
from alvision.core.records import Event
from alvision.deploy.train.final_model import FinalModel, check_current
from alvision.deploy.train.model_facts import ModelFacts, MonitorFigures
from tests.support import grey


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Return a final model that was trained for ok and worn, and its run's configuration."""
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "cache"))
    _, labelled, config = grey.shop(tmp_path, 12)
    labels = {"ok": 5, "worn": 4}
    facts = ModelFacts(("ok", "worn"), ("worn",), 1.0, labels, "", "", MonitorFigures())
    return FinalModel(None, None, labelled, facts), config


def test_a_model_of_todays_classes_is_exported(trained):
    check_current(*trained)


@pytest.mark.parametrize(
    ("classes", "defects", "told"),
    [
        (["ok", "worn", "torn"], ["worn", "torn"], "the class torn was added after the model"),
        (["ok"], [], "knows the class worn, and the run does not"),
        (["ok", "worn"], ["worn", "ok"], "ok is a defect since"),
        (["ok", "worn"], [], "worn is no defect since"),
        (["ok", "worn"], None, "worn is no defect since"),
    ],
)
def test_a_model_of_other_classes_is_refused_and_the_command_is_named(
    trained, classes, defects, told
):
    final, config = trained
    with pytest.raises(UserError, match=f"{told}.*alvision train out=.*export again"):
        check_current(final, replace(config, classes=classes, defects=defects))


def test_a_class_that_was_merged_since_the_training_is_refused(trained):
    final, config = trained
    merge = Event("", "merge", "worn", "qa", 0, "m1", target="ok")
    with final.labelled.data.label_store() as store:
        store.append([merge], hash_of=lambda id: None)
    with pytest.raises(UserError, match="worn was merged into ok after the model was trained"):
        check_current(final, config)
