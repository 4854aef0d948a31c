"""`bundle.json` and `thresholds.json` keep their keys, so that bundles made earlier open."""

import json
import tarfile

import pytest

from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.manifest import BundleManifest
from alvision.deploy.bundle.thresholds import (
    ClassPromise,
    Overkill,
    Thresholds,
    read_thresholds,
    write_thresholds,
)
from alvision.deploy.train.model_facts import ModelFacts
from tests.support import PROJECT

OLD = PROJECT / "tests" / "fixtures" / "version_0_1_0.tar.xz"
FILES = ("b/bundle.json", "b/thresholds.json", "final_run/final/model.json")


@pytest.fixture(scope="module")
def old():
    """Return the JSON files of version 0.1.0 by name."""
    with tarfile.open(OLD) as archive:
        return {name: json.load(archive.extractfile(name)) for name in FILES}


def test_the_manifest_of_an_old_bundle_is_written_again_as_it_was(old):
    values = old["b/bundle.json"]
    again = BundleManifest.from_json(values).to_json()
    assert again == values
    assert list(again) == list(values)


@pytest.mark.parametrize(
    ("key", "value"),
    [("temperature", float("nan")), ("temperature", 0.0), ("temperature", float("inf"))],
)
def test_a_temperature_that_nothing_can_be_divided_by_is_refused(old, tmp_path, key, value):
    (tmp_path / "bundle.json").write_text(json.dumps(old["b/bundle.json"] | {key: value}))
    with pytest.raises(UserError, match="is damaged: export the bundle again"):
        open_bundle(tmp_path)


def test_old_thresholds_are_written_again_as_they_were(old, tmp_path):
    values = dict(old["b/thresholds.json"])
    thresholds = Thresholds.from_json({k: v for k, v in values.items() if k != "sha256"})
    path = write_thresholds(tmp_path, values["bundle"], thresholds)
    again = json.loads(path.read_text(encoding="utf-8"))
    assert again == values
    assert list(again) == list(values)


def test_the_facts_of_an_old_model_are_written_again_as_they_were(old):
    values = old["final_run/final/model.json"]
    again = ModelFacts.from_json(values).to_json()
    assert again == values
    assert list(again) == list(values)


def test_thresholds_come_back_as_they_were_written(tmp_path):
    written = Thresholds(
        low=0.1,
        high=float("inf"),
        overkill=Overkill(None, 1.0),
        escaped=("a",),
        per_class={"worn": ClassPromise(3, None, 56)},
    )
    write_thresholds(tmp_path, "identity", written)
    read = read_thresholds(tmp_path, "identity")
    assert read.per_class == written.per_class and read.escaped == ("a",)
    assert (read.low, read.high, read.overkill.seen) == (0.1, float("inf"), None)
    with pytest.raises(UserError, match="belongs to another model"):
        read_thresholds(tmp_path, "other")


@pytest.mark.parametrize("content", [{"format": 2}, {"format": 2, "novelty": 3, "classes": []}])
def test_a_manifest_without_its_values_is_one_line(tmp_path, content):
    (tmp_path / "bundle.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="is damaged: export the bundle again"):
        open_bundle(tmp_path)
