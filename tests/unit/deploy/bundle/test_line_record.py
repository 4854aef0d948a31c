import json

import pytest

from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.line_record import (
    FILE,
    LineRecord,
    how_tested,
    read_record,
    write_record,
)
from alvision.deploy.bundle.thresholds import Thresholds, write_thresholds
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")


@pytest.fixture
def bundle(tmp_path):
    return grey.write(tmp_path / "line", 0.5, "run")


def record(bundle):
    return LineRecord(bundle.model, "before", 0.975, 0.01, 0.05, number=2)


def test_it_is_read_as_it_was_written(bundle):
    write_record(bundle.folder, record(bundle))
    assert read_record(bundle) == record(bundle)
    assert open_bundle(bundle.folder).model == bundle.model


def test_a_tested_model_says_how_sure_and_by_how_much(bundle):
    write_record(bundle.folder, record(bundle))
    told = how_tested(bundle)
    assert "shown, 97.5 % sure" in told and "less than 1 of 100 parts" in told
    assert "less than 5 of 100 bad parts" in told


def test_the_first_model_says_that_there_was_no_test(bundle):
    write_record(bundle.folder, LineRecord(bundle.model))
    assert "put on the line without a test" in how_tested(bundle)


def edited(folder):
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    (folder / FILE).write_text(json.dumps(content | {"margin": 0.001}), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / FILE).unlink(),
        lambda folder: (folder / FILE).write_text("["),
        lambda folder: (folder / FILE).write_text("[]"),
        edited,
        lambda folder: write_thresholds(
            folder, open_bundle(folder).identity, Thresholds(low=0.5, high=0.5)
        ),
        lambda folder: write_record(folder, LineRecord("another model", "before")),
    ],
    ids=["none", "damaged", "strange", "edited", "another threshold", "another model"],
)
def test_a_record_that_is_not_about_this_model_is_none(bundle, change):
    write_record(bundle.folder, record(bundle))
    change(bundle.folder)
    found = open_bundle(bundle.folder)
    assert read_record(found) is None and "was not tested against another" in how_tested(found)
