import pytest

from alvision.core.errors import UserError
from alvision.data.hashes import content_hashes, file_stamp, hashes_of_possible_duplicates
from alvision.data.image_spec import ImageSpec
from alvision.data.images import UnreadableImage, load, read
from alvision.data.manifest import Manifest
from alvision.data.storage.client import head
from alvision.data.storage.stored_path import StoredPath, place
from tests.conftest import paint


def listed(uri):
    found = head(uri)
    return StoredPath(uri, found.size, found.etag)


def test_a_stored_image_is_what_the_file_is(store, tmp_path):
    paint(1, "worn").save(tmp_path / "a.png")
    store.objects["x/a.png"] = (tmp_path / "a.png").read_bytes()
    path, spec = listed("s3://pool/x/a.png"), ImageSpec(size=16)
    assert (load(path, spec) == load(tmp_path / "a.png", spec)).all()
    assert read(path) == (tmp_path / "a.png").read_bytes()
    assert (path.name, path.suffix) == ("a.png", ".png")
    assert str(path.relative_to(StoredPath("s3://pool"))) == "x/a.png"
    assert StoredPath("s3://pool/x") / "a.png" == StoredPath("s3://pool/x/a.png")


def test_an_object_is_asked_for_once(store):
    store.objects["a"] = b"content"
    path = listed("s3://pool/a")
    store.asked.clear()
    assert path.read_bytes() == path.read_bytes() == path.open("rb").read() == b"content"
    assert store.asked == ["a"]


def test_another_etag_is_another_stamp_and_is_read_anew(store):
    store.objects["a"] = b"old"
    before = listed("s3://pool/a")
    assert before.read_bytes() == b"old"
    store.objects["a"] = b"new"
    after = listed("s3://pool/a")
    assert file_stamp(before).settled
    assert file_stamp(before) != file_stamp(after)
    assert after.read_bytes() == b"new"


def test_hashes_of_a_stored_pool_are_those_of_its_bytes(store):
    store.objects = {"a": b"x" * 9000, "b": b"x" * 9000, "c": b"y" * 9000, "d": b"z"}
    paths = tuple(listed(f"s3://pool/{key}") for key in "abcd")
    none = (None,) * 4
    manifest = Manifest(StoredPath("s3://pool"), tuple("abcd"), paths, none, none, none)
    few = hashes_of_possible_duplicates(manifest)
    assert few.keys() == {"a", "b"}
    hashes = content_hashes(manifest)
    assert hashes["a"] == hashes["b"] == few["a"]
    assert len(set(hashes.values())) == 3
    store.asked.clear()
    assert content_hashes(manifest) == hashes
    assert not store.asked


def test_a_missing_object_is_set_aside_and_storage_that_refuses_is_not(store):
    with pytest.raises(UnreadableImage, match="missing"):
        read(StoredPath("s3://pool/a.png", 3, '"e"'))
    with pytest.raises(UnreadableImage, match="missing"):
        load(StoredPath("s3://pool/a.png"), ImageSpec(size=16))
    store.trouble = lambda number, key: (400, "ExpiredToken")
    with pytest.raises(UserError, match="expired"):
        load(StoredPath("s3://pool/a.png", 3, '"e"'), ImageSpec(size=16))


def test_a_place_is_a_path_or_an_address():
    assert place("s3://pool/x/") == StoredPath("s3://pool/x")
    assert str(place("photos")) == "photos"
