import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.data.pool_table import make
from alvision.data.storage.stored_path import StoredPath
from tests.conftest import paint


def stored(file, **settings):
    return build(DataConfig(kind="manifest", file=str(file), **settings))


def test_the_rows_of_a_manifest_are_those_of_the_folder_wherever_it_lies(tmp_path):
    for label in ("ok", "worn"):
        (tmp_path / "a" / label).mkdir(parents=True)
        paint(1, label).save(tmp_path / "a" / label / "1.png")
    make(str(tmp_path / "a"), tmp_path / "pool.parquet")
    folder = build(DataConfig(kind="folder", root=str(tmp_path / "a")))
    found = stored(tmp_path / "pool.parquet")
    assert found == folder
    (tmp_path / "a").rename(tmp_path / "b")
    moved = stored(tmp_path / "pool.parquet", root=str(tmp_path / "b"))
    assert (moved.ids, moved.truth) == (folder.ids, folder.truth)
    assert moved.path("ok/1.png") == tmp_path / "b/ok/1.png"


def test_columns_of_ones_own_count_and_a_row_need_not_have_an_etag(tmp_path):
    table = pa.table({
        "id": ["b", "a"], "uri": ["s3://x/1.png", "gs://y/2.png"], "size": [7, None],
        "etag": ["e", None], "lot": ["L1", "L2"], "label": ["ok", None], "split": ["test", "train"],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "pool.parquet")
    found = stored(tmp_path / "pool.parquet", group_column="lot", group_by="column")
    assert found.ids == ("a", "b")
    assert found.paths == (StoredPath("gs://y/2.png"), StoredPath("s3://x/1.png", 7, "e"))
    assert (found.groups, found.truth) == (("L2", "L1"), (None, "ok"))
    assert found.splits == ("train", "test")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["a", "a"], "uri": ["s3://x/1", "s3://x/2"]}, "more than once"),
        ({"id": ["a", None], "uri": ["s3://x/1", "s3://x/2"]}, "row 2 has no id"),
        ({"id": pa.array([], pa.string()), "uri": pa.array([], pa.string())}, "no rows"),
        ({"id": ["a"], "uri": ["ftp://x/1"]}, "no address"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path, columns, said):
    pq.write_table(pa.table(columns), tmp_path / "pool.parquet")
    with pytest.raises(UserError, match=said):
        stored(tmp_path / "pool.parquet")


def test_an_id_never_leaves_the_root(tmp_path):
    pq.write_table(pa.table({"id": ["../a.png"], "uri": ["s3://x/1"]}), tmp_path / "pool.parquet")
    with pytest.raises(UserError, match="not below"):
        stored(tmp_path / "pool.parquet", root=str(tmp_path))


def test_a_table_of_ones_own_may_name_objects_below_an_address(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\nb/2.png,worn\na/1.png,ok\n", encoding="utf-8")
    cfg = DataConfig(kind="csv", root="https://host/photos", file=str(tmp_path / "list.csv"))
    found = build(cfg)
    assert found.ids == ("a/1.png", "b/2.png")
    assert found.truth == ("ok", "worn")
    assert found.path("a/1.png") == StoredPath("https://host/photos/a/1.png")
    (tmp_path / "list.csv").write_text("path\n../1.png\n", encoding="utf-8")
    with pytest.raises(UserError, match="no path below"):
        build(cfg)
