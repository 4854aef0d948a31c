import dataclasses

import numpy as np
import pytest

from alvision.evaluation.curves import area
from alvision.study.classes import class_rows
from alvision.study.per_class import Details
from tests.unit.study.builder import study

CLASSES = ("ok", "worn", "crack")


def detailed(seeds=8, gain=0.2):
    found = study({"margin": 0.0}, seeds=seeds)
    rng = np.random.default_rng(0)
    shape = (seeds, found.answers.shape[1], 3)
    f1 = {name: rng.uniform(0.5, 0.6, shape) for name in found.acquisitions}
    f1["margin"][:, :, 2] += gain
    support = np.tile([80.0, 20.0, 4.0], (seeds, 1))
    return dataclasses.replace(found, details=Details(CLASSES, support, f1, f1))


def rows_of(found):
    return {(row.name, row.acquisition): row for row in class_rows(found)}


def test_every_class_has_a_row_and_the_rarest_is_tested():
    found = detailed()
    rows = rows_of(found)
    assert len(rows) == 6
    row = rows["crack", "margin"]
    assert (row.rarest, row.held_out, row.seeds) == (True, 4, 8)
    f1 = found.details.f1["margin"][:, :, 2]
    expected = np.mean([area(x, y) for x, y in zip(found.answers, f1, strict=True)])
    assert row.f1.value == pytest.approx(expected)
    assert row.recall.value == pytest.approx(f1[:, -1].mean())
    assert row.difference.value == pytest.approx(0.2, abs=0.02)
    assert row.p_value == 2 * 2**-8
    assert row.detectable > 0
    for name in ("ok", "worn"):
        assert rows[name, "margin"].p_value is None
        assert not rows[name, "margin"].rarest
    assert rows["crack", "random_sampling"].difference is None


def test_a_seed_that_holds_out_none_of_a_class_does_not_count_for_it():
    found = detailed()
    found.details.support[2, 2] = 0
    for values in found.details.f1.values():
        values[2, :, 2] = np.nan
    row = rows_of(found)["crack", "margin"]
    assert (row.seeds, row.held_out) == (7, 3.5)
    assert np.isfinite(row.f1.value)


def test_two_classes_that_are_equally_rare_have_no_rarest():
    found = detailed()
    found.details.support[:, 1] = 4
    assert found.details.rarest is None
    assert not any(row.rarest or row.p_value for row in class_rows(found))


def test_without_the_rounds_files_there_are_no_rows():
    assert class_rows(study({"margin": 0.0})) == ()
