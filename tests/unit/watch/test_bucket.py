import hashlib

import pytest

from alvision.data.storage import client
from alvision.data.storage.client import ChangedObject
from alvision.data.storage.stored_path import StoredPath
from alvision.watch.bucket import Bucket, fetch_away


@pytest.fixture
def objects(monkeypatch):
    """Keep objects in a dictionary, in the place of a store."""
    found = {"s3://b/in/a.png": b"one", "s3://b/in/.c.png": b"x", "s3://b/in/notes.txt": b"x"}

    def stored(uri):
        if uri not in found:
            raise FileNotFoundError(uri)
        data = found[uri]
        key = uri.removeprefix("s3://b/")
        return client.StoredObject(key, len(data), hashlib.md5(data).hexdigest())

    def read(uri, etag="", span=None):
        if etag not in ("", stored(uri).etag):
            raise ChangedObject(uri)
        return found[uri]

    def delete(uri, etag):
        if stored(uri).etag != etag:
            raise ChangedObject(uri)
        del found[uri]

    monkeypatch.setattr(client, "head", stored)
    monkeypatch.setattr(client, "read", read)
    monkeypatch.setattr(client, "delete", delete)
    monkeypatch.setattr(
        "alvision.data.sources.folder.listed",
        lambda pending: iter([([stored(uri) for uri in found], [])]),
    )
    return found


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_images_are_found_and_other_objects_left_alone(objects):
    (one,) = Bucket(StoredPath("s3://b/in")).scan()
    assert (one.name, one.path.uri, one.mark[0]) == ("a.png", "s3://b/in/a.png", 3)


def test_an_object_is_moved_and_a_second_time_changes_nothing(objects, tmp_path):
    (one,) = Bucket(StoredPath("s3://b/in")).scan()
    for _ in range(2):
        fetch_away(one.path, tmp_path / "pass" / "a.png", sha256(b"one"))
        assert (tmp_path / "pass" / "a.png").read_bytes() == b"one"
        assert one.path.uri not in objects


def test_a_killed_move_is_finished(objects, tmp_path):
    (one,) = Bucket(StoredPath("s3://b/in")).scan()
    (tmp_path / "a.png").write_bytes(b"one")
    fetch_away(one.path, tmp_path / "a.png", sha256(b"one"))
    assert one.path.uri not in objects


def test_another_file_at_the_place_is_kept_and_so_is_the_object(objects, tmp_path):
    (one,) = Bucket(StoredPath("s3://b/in")).scan()
    (tmp_path / "a.png").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        fetch_away(one.path, tmp_path / "a.png", sha256(b"one"))
    assert (tmp_path / "a.png").read_bytes() == b"other"
    assert one.path.uri in objects


def test_an_object_that_was_replaced_meanwhile_stays_to_be_judged(objects, tmp_path):
    (one,) = Bucket(StoredPath("s3://b/in")).scan()
    one.path.read_bytes()
    objects[one.path.uri] = b"new"
    fetch_away(one.path, tmp_path / "a.png", sha256(b"one"))
    assert (tmp_path / "a.png").read_bytes() == b"one"
    assert objects[one.path.uri] == b"new"
