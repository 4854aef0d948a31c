import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from alvision.core.errors import UserError
from alvision.data.storage.ahead import ahead
from alvision.data.storage.client import head
from alvision.data.storage.stored_path import StoredPath


def test_objects_come_ahead_in_their_order_and_files_stay(store, tmp_path):
    store.objects = {f"{number:03d}": str(number).encode() for number in range(120)}
    (tmp_path / "x").write_bytes(b"x")
    images = [(key, StoredPath(f"s3://pool/{key}")) for key in store.objects]
    with ahead([("x", tmp_path / "x"), *images], 4) as coming:
        assert coming[0] == ("x", tmp_path / "x")
        assert [path.read_bytes() for _, path in coming[1:]] == list(store.objects.values())
        assert coming[1][1].open("rb").read() == b"0"


def test_no_more_come_than_the_window_holds(store):
    store.objects = {f"{number:03d}": b"x" for number in range(200)}
    with ahead([(key, StoredPath(f"s3://pool/{key}")) for key in store.objects], 8) as coming:
        coming[0][1].read_bytes()
        threading.Event().wait(0.3)
        assert len(store.asked) <= 8 + 1


def test_whatever_the_order_and_the_window_nothing_stands_still(store):
    store.objects = {f"{number:03d}": str(number).encode() for number in range(100)}
    images = [(key, StoredPath(f"s3://pool/{key}")) for key in store.objects]
    for window in (0, 1, 40):
        with ahead(images, window) as coming, ThreadPoolExecutor(4) as readers:
            found = list(readers.map(lambda one: one[1].read_bytes(), coming[::-1]))
        assert found == list(store.objects.values())[::-1]


def test_what_an_object_raises_it_raises_where_it_is_read(store):
    store.objects = {"a": b"old"}
    old = StoredPath("s3://pool/a", 3, head("s3://pool/a").etag)
    store.objects["a"] = b"new"
    with ahead([("a", old), ("b", StoredPath("s3://pool/b"))], 4) as coming:
        with pytest.raises(UserError, match="has changed"):
            coming[0][1].read_bytes()
        with pytest.raises(FileNotFoundError):
            coming[1][1].read_bytes()
