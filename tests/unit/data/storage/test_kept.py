import os

import pytest

from alvision.data.storage import kept as module
from alvision.data.storage.kept import evict, folder, kept


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(module, "_written", None)


def files():
    return sorted(path for path in folder().rglob("*") if path.is_file())


def test_an_object_is_fetched_once():
    calls = []
    for _ in range(2):
        assert kept("a", 3, lambda: calls.append(1) or b"abc") == b"abc"
    assert len(calls) == 1


def test_half_an_object_is_fetched_again():
    kept("a", 3, lambda: b"abc")
    files()[0].write_bytes(b"ab")
    assert kept("a", 3, lambda: b"abc") == b"abc"
    assert files()[0].read_bytes() == b"abc"


def test_those_not_read_for_longest_go_first():
    for number in range(4):
        kept(str(number), 100, lambda: bytes(100))
        newest = max(files(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    kept("0", 100, lambda: pytest.fail("it is there"))
    evict(250)
    assert len(files()) == 2
    kept("0", 100, lambda: pytest.fail("it was read last"))


def test_the_bound_holds_while_objects_come(monkeypatch):
    monkeypatch.setenv("ALVISION_CACHE_GB", "1e-5")  # 10,000 bytes
    for number in range(300):
        kept(str(number), 100, lambda: bytes(100))
    assert sum(path.stat().st_size for path in files()) <= 10_000 + 500
    kept("large", 20_000, lambda: bytes(20_000))
    assert all(path.stat().st_size == 100 for path in files())


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch, cache_folder):
    cache_folder.mkdir(parents=True)
    (cache_folder / "objects").write_text("a file")
    assert kept("a", 3, lambda: b"abc") == b"abc"
