"""The model that a run starts from is kept beside it."""

import hashlib
import json

import pytest

from alvision.config.schema import ModelConfig
from alvision.core.errors import UserError
from alvision.run_folder.experiment_file import describe_run
from alvision.run_folder.fixed_settings import claim_run
from alvision.run_folder.initial_model import BUNDLED, KEPT, as_kept, initial_file
from tests.support.configs import config


@pytest.fixture
def source(tmp_path):
    (tmp_path / "other" / "final").mkdir(parents=True)
    (tmp_path / "other" / "final" / "model.ckpt").write_bytes(b"first")
    return tmp_path / "other"


def claimed(root, init, *, people=False):
    kind = "page" if people else "simulated"
    settings = config(oracle__kind=kind, model__init=init and str(init), out=str(root))
    described = describe_run(settings, {}, "", classes=["ok"], anonymous=people)
    return claim_run(root, described, people=people)


def trained_again(source):
    beside = source / "final" / "beside"
    beside.write_bytes(b"second")
    beside.replace(source / "final" / "model.ckpt")


@pytest.mark.parametrize("people", [True, False])
def test_a_run_goes_on_from_its_copy_when_the_other_is_trained_again(tmp_path, source, people):
    root = tmp_path / "run"
    first = claimed(root, source, people=people)
    trained_again(source)
    assert claimed(root, source, people=people) == first
    assert (root / KEPT).read_bytes() == b"first"
    assert as_kept(ModelConfig(init=str(source)), root).init == str(root / KEPT)


def test_where_the_other_run_is_counts_for_nothing(tmp_path, source):
    first = claimed(tmp_path / "run", source)
    moved = source.rename(tmp_path / "moved")
    assert claimed(tmp_path / "run", moved)["run"] == first["run"]


def test_another_model_is_refused_in_one_line(tmp_path, source):
    claimed(tmp_path / "run", source)
    moved = source.rename(tmp_path / "moved")
    trained_again(moved)
    with pytest.raises(UserError, match=r"model\.init was '.*' and is '.*' \(the learning curve"):
        claimed(tmp_path / "run", moved)
    with pytest.raises(UserError, match=r"model\.init was '.*' and is None"):
        claimed(tmp_path / "run", None)
    assert (tmp_path / "run" / KEPT).read_bytes() == b"first"


def test_two_runs_from_two_models_are_two_runs(tmp_path, source):
    first = claimed(tmp_path / "a", source)
    trained_again(source)
    assert claimed(tmp_path / "b", source)["run"] != first["run"]


def test_what_names_no_final_model_says_what_to_do(tmp_path):
    for name, told in (
        ("experiment.yaml", "has no final model yet: alvision train out="),
        ("other", "names neither a run with a final model nor a bundle"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
        with pytest.raises(UserError, match=told):
            initial_file(str(tmp_path / name))


def bundle(folder, content, files):
    folder.mkdir()
    (folder / BUNDLED).write_bytes(content)
    (folder / "bundle.json").write_text(json.dumps({"files": files}))
    return str(folder)


def test_a_bundle_gives_the_model_that_it_was_exported_from(tmp_path):
    sha256 = hashlib.sha256(b"model").hexdigest()
    given = bundle(tmp_path / "b", b"model", {BUNDLED: sha256})
    assert initial_file(given).read_bytes() == b"model"


@pytest.mark.parametrize(
    ("content", "named", "told"),
    [
        (b"other", BUNDLED, "is not what was exported: copy the whole bundle again"),
        (b"model", "model.onnx", "is a bundle of an earlier version.*name the folder of its run"),
    ],
)
def test_a_bundle_without_its_model_is_refused(tmp_path, content, named, told):
    given = bundle(tmp_path / "b", content, {named: hashlib.sha256(b"model").hexdigest()})
    with pytest.raises(UserError, match=told):
        initial_file(given)
