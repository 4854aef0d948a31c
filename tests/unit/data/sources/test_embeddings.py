import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build


def embedded(folder, columns, **settings):
    pq.write_table(pa.table(columns), folder / "pool.parquet", row_group_size=2)
    settings = {"path_column": "id", "file": str(folder / "pool.parquet")} | settings
    return build(DataConfig(kind="embeddings", **settings))


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 2)],
    ids=str,
)
def test_rows_follow_their_ids(tmp_path, kind):
    vectors = pa.array([[4, 5], [0, 1], [2, 3]], type=kind)
    manifest = embedded(
        tmp_path, {"id": ["c", "a", "b"], "features": vectors, "label": ["x", "y", None]}
    )
    assert manifest.ids == ("a", "b", "c")
    assert manifest.truth == ("y", None, "x")
    assert manifest.features.dtype == np.float32
    np.testing.assert_array_equal(manifest.features, [[0, 1], [2, 3], [4, 5]])
    assert manifest.path("a") == tmp_path / "a"


def test_an_id_names_no_file_outside_the_root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    ids = ["../secret", str(tmp_path / "secret"), "a"]
    manifest = embedded(tmp_path, {"id": ids, "features": [[1], [2], [3]]}, root=str(root))
    assert [manifest.path(id) for id in ids] == [root, root, root / "a"]


def test_numbers_are_ids_and_features_of_whole_numbers_work(tmp_path):
    manifest = embedded(tmp_path, {"id": [10, 9], "features": [[1, 2], [3, 4]]})
    assert manifest.ids == ("10", "9")
    np.testing.assert_array_equal(manifest.features, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[1.0], [1.0, 2.0]], "rows of 1 to 2 numbers"),
        ([[], []], "rows of 0 to 0 numbers"),
        ([[1.0, float("nan")], [1.0, 2.0]], "1 of 2 rows have numbers that are not finite"),
        ([[1.0, None], [1.0, 2.0]], "1 of 2 rows have numbers that are not finite"),
        ([[1e300, 0.0], [1.0, 2.0]], "1 of 2 rows have numbers that are not finite"),
        ([None, [1.0]], "1 of 2 rows have no features"),
        ([["a"], ["b"]], "must hold lists of floats"),
        ([1.0, 2.0], "must hold lists of floats"),
    ],
)
def test_bad_features_are_refused(tmp_path, features, message):
    columns = {"id": ["a", "b"], "features": features}
    if features == [[], []]:
        columns["features"] = pa.array(features, type=pa.list_(pa.float32()))
    with pytest.raises(UserError, match=message):
        embedded(tmp_path, columns)


def test_missing_columns_and_ids_are_named(tmp_path):
    columns = {"id": ["a", None], "features": [[1.0], [2.0]]}
    with pytest.raises(UserError, match="1 rows have no id"):
        embedded(tmp_path, columns)
    with pytest.raises(UserError, match=r"no column 'vector' \(data\.features_column\).*id, feat"):
        embedded(tmp_path, columns, features_column="vector")
    with pytest.raises(UserError, match=r"no column 'name' \(data\.path_column\)"):
        embedded(tmp_path, columns, path_column="name")
    with pytest.raises(UserError, match="has no rows"):
        embedded(
            tmp_path,
            {"id": pa.array([], pa.string()), "features": pa.array([], pa.list_(pa.float32()))},
        )


def test_capture_time_needs_files(tmp_path):
    with pytest.raises(UserError, match="embeddings have none"):
        embedded(tmp_path, {"id": ["a"], "features": [[1.0]]}, group_by="capture_time")
