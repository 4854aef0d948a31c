from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.evaluation.probabilities import ClassProbabilities


@pytest.fixture
def probabilities():
    values = np.array([[0.1, 0.9], [0.6, 0.4], [1.0, 0.0]])
    return ClassProbabilities(("b/ü.png", "a.png", "c d.png"), ("id", "ok = gut"), values)


def test_the_file_gives_back_what_was_written(probabilities, tmp_path):
    folder = tmp_path / "data.root=parts"
    folder.mkdir()
    probabilities.write(folder / "predictions.parquet")
    read = ClassProbabilities.read(folder / "predictions.parquet")
    assert read.ids == probabilities.ids
    assert read.classes == probabilities.classes
    assert np.array_equal(read.values, probabilities.values)
    assert read.values.dtype == np.float32


def test_no_images_make_a_file_too(tmp_path):
    ClassProbabilities((), ("ok", "worn"), np.zeros((0, 2))).write(tmp_path / "p.parquet")
    read = ClassProbabilities.read(tmp_path / "p.parquet")
    assert (read.ids, read.classes, read.values.shape) == ((), ("ok", "worn"), (0, 2))


def test_the_same_content_gives_the_same_bytes(probabilities, tmp_path):
    probabilities.write(tmp_path / "1.parquet")
    ClassProbabilities.read(tmp_path / "1.parquet").write(tmp_path / "2.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PAR1" + bytes(20) + b"PAR1"])
def test_a_damaged_file_is_named(content, tmp_path):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"p\.parquet is damaged"):
        ClassProbabilities.read(tmp_path / "p.parquet")


def test_probabilities_that_are_no_numbers_are_told(probabilities):
    with pytest.raises(UserError, match="diverged"):
        ClassProbabilities(("a",), ("ok", "worn"), np.array([[np.nan, 0.5]]))


@pytest.mark.parametrize(
    ("ids", "classes"),
    [(("a", "a"), ("ok", "worn")), (("a", "b"), ("ok", "ok")), (("a",), ("ok",))],
)
def test_rows_and_columns_must_fit(ids, classes):
    with pytest.raises(ValueError):
        ClassProbabilities(ids, classes, np.full((2, 2), 0.5))


@given(st.permutations(["ok", "worn", "torn", "bent"]), st.integers(1, 4))
def test_onto_follows_names(order, known):
    values = np.random.default_rng(known).random((3, known))
    have = ("ok", "worn", "torn", "bent")[:known]
    moved = ClassProbabilities(("a", "b", "c"), have, values).onto(order)
    assert moved.classes == tuple(order)
    for column, name in enumerate(order):
        expected = values[:, have.index(name)] if name in have else np.zeros(3)
        assert np.array_equal(moved.values[:, column], expected.astype(np.float32))


def test_predictions_are_about_bytes_wherever_they_lie_now(probabilities, tmp_path):
    known = replace(probabilities, sha256=("f0", "f1", None))
    known.write(tmp_path / "p.parquet")
    read = ClassProbabilities.read(tmp_path / "p.parquet")
    assert read.sha256 == ("f0", "f1", None)
    today = {("b/ü.png", "f0"): "moved.png", ("c d.png", None): "c d.png"}
    found = read.onto(("ok = gut",)).located(lambda id, sha256: today.get((id, sha256)))
    assert (found.ids, found.sha256) == (("moved.png", "c d.png"), ("f0", None))
    assert found.values[:, 0] == pytest.approx([0.9, 0.0])


def test_hashes_are_one_an_image(probabilities):
    with pytest.raises(ValueError, match="1 hashes for 3 ids"):
        replace(probabilities, sha256=("f0",))
