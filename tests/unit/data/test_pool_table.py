import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alvision.core.errors import UserError
from alvision.data import pool_table
from alvision.data.pool_table import batches, make, path_of, root_of
from alvision.data.storage.stored_path import StoredPath


def rows(file):
    return pq.read_table(file).to_pylist()


def test_a_bucket_becomes_a_table_in_the_order_of_ids(store, tmp_path):
    store.objects = {
        "line/worn/2.PNG": b"22", "line/ok/1.jpg": b"1", "line/ok/notes.txt": b"x",
        "line/ok/.hidden.png": b"x", "line/@eaDir/1.jpg": b"x", "other/3.png": b"x",
    }  # fmt: skip
    assert make("s3://pool/line/", tmp_path / "pool.parquet") == 2
    assert rows(tmp_path / "pool.parquet") == [
        {"id": "ok/1.jpg", "uri": "s3://pool/line/ok/1.jpg", "size": 1,
         "etag": '"c4ca4238a0b923820dcc509a6f75849b"', "group": None, "label": "ok"},
        {"id": "worn/2.PNG", "uri": "s3://pool/line/worn/2.PNG", "size": 2,
         "etag": '"b6d767d2f8ed5d21a44b0e5886680cb9"', "group": None, "label": "worn"},
    ]  # fmt: skip
    assert root_of(tmp_path / "pool.parquet") == "s3://pool/line"
    assert [path.name for path in tmp_path.iterdir()] == ["pool.parquet"]


def test_a_folder_has_the_ids_and_labels_of_the_same_pool_in_a_bucket(store, tmp_path):
    for key in ("a/1.png", "b/2.png", "b/3.png"):
        store.objects[key] = key.encode()
        file = tmp_path / "photos" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(key.encode())
    make("s3://pool", tmp_path / "stored.parquet")
    make(str(tmp_path / "photos"), tmp_path / "local.parquet")
    for name in ("id", "size", "label"):
        stored, local = (
            [row[name] for row in rows(tmp_path / f"{kind}.parquet")]
            for kind in ("stored", "local")
        )
        assert stored == local
    assert (tmp_path / "photos/a/1.png").samefile(rows(tmp_path / "local.parquet")[0]["uri"])


def test_images_in_no_class_folder_have_no_label(store, tmp_path):
    store.objects = {"a/1.png": b"1", "2.png": b"2"}
    make("s3://pool", tmp_path / "pool.parquet")
    assert [row["label"] for row in rows(tmp_path / "pool.parquet")] == [None, None]


@pytest.mark.slow
def test_a_listing_that_was_stopped_goes_on_and_gives_the_same_table(
    store, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(pool_table, "ROWS_A_PART", 1000)
    store.objects = {f"{number % 7}/{number:05d}.png": b"1" for number in range(5300)}
    make("s3://pool", tmp_path / "whole.parquet")
    pages = len(store.asked)
    store.asked.clear()
    store.trouble = lambda number, key: (400, "ExpiredToken") if number > 4 else None
    with pytest.raises(UserError, match="expired"):
        make("s3://pool", tmp_path / "pool.parquet")
    assert not (tmp_path / "pool.parquet").exists()
    store.trouble = lambda number, key: None
    store.asked.clear()
    assert make("s3://pool", tmp_path / "pool.parquet") == 5300
    assert 0 < len(store.asked) < pages
    assert "goes on after" in caplog.text
    assert rows(tmp_path / "pool.parquet") == rows(tmp_path / "whole.parquet")


def test_a_pool_without_images_is_refused(store, tmp_path):
    store.objects = {"a.txt": b"x"}
    with pytest.raises(UserError, match="s3://pool holds no image"):
        make("s3://pool", tmp_path / "pool.parquet")
    with pytest.raises(UserError, match="is not a folder"):
        make(str(tmp_path / "none"), tmp_path / "pool.parquet")


def test_a_pool_that_was_empty_is_listed_again(store, tmp_path):
    with pytest.raises(UserError, match="holds no image"):
        make("s3://pool", tmp_path / "pool.parquet")
    store.objects = {"1.png": b"1"}
    assert make("s3://pool", tmp_path / "pool.parquet") == 1


def test_a_folder_whose_listing_was_stopped_has_each_image_once(tmp_path, monkeypatch):
    monkeypatch.setattr(pool_table, "ROWS_A_PART", 1)
    (tmp_path / "photos").mkdir()
    for name in ("1.png", "2.png"):
        (tmp_path / "photos" / name).write_bytes(b"1")
    with monkeypatch.context() as stopped:
        stopped.setattr(pool_table, "_write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(str(tmp_path / "photos"), tmp_path / "pool.parquet")
    assert make(str(tmp_path / "photos"), tmp_path / "pool.parquet") == 2


def test_a_table_comes_in_pieces_and_only_with_the_columns_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(pool_table, "ROW_GROUP", 3)
    table = pa.table({"id": list("abcdefg"), "uri": ["/x"] * 7, "more": [1] * 7})
    pq.write_table(table, tmp_path / "t.parquet")
    found = list(batches(tmp_path / "t.parquet", ("id", "uri", "etag")))
    assert [len(part["id"]) for part in found] == [3, 3, 1]
    assert found[0].keys() == {"id", "uri"}


def test_what_is_no_manifest_is_refused(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="no column 'uri'"):
        list(batches(tmp_path / "t.parquet"))
    (tmp_path / "x.parquet").write_text("text")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(batches(tmp_path / "x.parquet"))


def test_a_row_knows_its_etag(tmp_path):
    assert path_of("s3://b/x", 3, "e") == StoredPath("s3://b/x", 3, "e")
    assert path_of("s3://b/x", None, None) == StoredPath("s3://b/x")
    assert path_of(str(tmp_path), 3, "e") == tmp_path
