import hashlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from alvision.data import hashes
from alvision.data.hashes import PROBE_BYTES, content_hashes, hashes_of_possible_duplicates
from alvision.data.manifest import Manifest
from alvision.data.splits import group_keys

OLD = 1_000_000_000


def listed(root: Path, **contents: bytes) -> Manifest:
    for name, content in contents.items():
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(OLD, OLD))
    ids = tuple(sorted(contents))
    unknown = (None,) * len(ids)
    return Manifest(root, ids, tuple(root / id for id in ids), unknown, unknown, unknown)


@pytest.fixture
def read_files(monkeypatch):
    """Return the list of files that were read, in place of trusting the memo."""
    read = []
    sha256 = hashes.hash_if_readable
    monkeypatch.setattr(
        hashes, "hash_if_readable", lambda path: read.append(path.name) or sha256(path)
    )
    return read


def test_hashes_are_of_the_bytes(tmp_path):
    manifest = listed(tmp_path, a=b"1", b=b"2", c=b"1")
    found = content_hashes(manifest)
    assert found["a"] == found["c"] == hashlib.sha256(b"1").hexdigest()
    assert found["b"] == hashlib.sha256(b"2").hexdigest()


def test_unchanged_files_are_not_read_again(tmp_path, read_files):
    manifest = listed(tmp_path, a=b"1", b=b"2")
    first = content_hashes(manifest)
    assert sorted(read_files) == ["a", "b"]
    read_files.clear()
    assert content_hashes(manifest) == first
    assert read_files == []


@pytest.mark.parametrize(("content", "stamp"), [(b"22", OLD), (b"2", OLD + 1)])
def test_another_size_or_time_is_read_again(tmp_path, read_files, content, stamp):
    manifest = listed(tmp_path, a=b"1", b=b"2")
    content_hashes(manifest)
    read_files.clear()
    (tmp_path / "a").write_bytes(content)
    os.utime(tmp_path / "a", ns=(stamp, stamp))
    assert content_hashes(manifest)["a"] == hashlib.sha256(content).hexdigest()
    assert read_files == ["a"]


def test_a_file_written_a_moment_ago_is_not_remembered(tmp_path):
    manifest = listed(tmp_path, a=b"1")
    os.utime(tmp_path / "a")
    stamp = (tmp_path / "a").stat().st_mtime_ns
    content_hashes(manifest)
    (tmp_path / "a").write_bytes(b"2")
    os.utime(tmp_path / "a", ns=(stamp, stamp))
    assert content_hashes(manifest)["a"] == hashlib.sha256(b"2").hexdigest()


def test_files_that_cannot_be_opened_are_absent(tmp_path, monkeypatch):
    manifest = listed(tmp_path, a=b"1", b=b"2", c=b"3")
    (tmp_path / "a").unlink()
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    assert set(content_hashes(manifest)) == {"c"}


def broken(cache: Path):
    cache.write_bytes(b"this is no database, but it is long enough to be taken for one" * 20)


def locked(cache: Path):
    connection = sqlite3.connect(cache, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def other_schema(cache: Path):
    connection = sqlite3.connect(cache)
    connection.execute("CREATE TABLE hashes (something TEXT)")
    connection.close()


def folder_in_the_way(cache: Path):
    cache.mkdir()


@pytest.mark.parametrize("damage", [broken, locked, other_schema, folder_in_the_way])
def test_a_memo_that_fails_is_ignored(tmp_path, cache_folder, monkeypatch, damage):
    connect = sqlite3.connect
    monkeypatch.setattr(
        hashes.sqlite3, "connect", lambda path, timeout=5, **more: connect(path, 0.01, **more)
    )
    cache_folder.mkdir()
    held = damage(cache_folder / "hashes.db")
    assert content_hashes(listed(tmp_path, a=b"1")) == {"a": hashlib.sha256(b"1").hexdigest()}
    if held:
        held.close()


def test_no_cache_folder_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "file" / "cache"))
    assert set(content_hashes(listed(tmp_path, a=b"1"))) == {"a"}


def test_batches_and_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(hashes, "BATCH", 2)
    manifest = listed(tmp_path, **{f"f{i}": bytes([i]) for i in range(5)})
    told = []
    found = content_hashes(manifest, progress=lambda done, total: told.append((done, total)))
    assert found == {f"f{i}": hashlib.sha256(bytes([i])).hexdigest() for i in range(5)}
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_embeddings_are_hashed_by_row(tmp_path):
    ids, unknown = ("a", "b", "c"), (None,) * 3
    features = np.array([[1, 2], [3, 4], [1, 2]], dtype=np.float32)
    manifest = Manifest(
        tmp_path, ids, tuple(tmp_path / id for id in ids), unknown, unknown, unknown, features
    )
    found = content_hashes(manifest)
    assert found["a"] == found["c"] == hashlib.sha256(features[0].tobytes()).hexdigest()
    assert found["b"] != found["a"]


CONTENT = some.binary(max_size=3) | some.integers(0, 3).map(lambda i: b"x" * (3 * PROBE_BYTES + i))
EDGES = some.sampled_from([b"start", b"middle", b"end"])


def content_of(body, edge, where):
    """Return bytes that may differ from another file's in one place only."""
    place = {b"start": 0, b"middle": len(body) // 2, b"end": len(body)}[where]
    return body[:place] + edge + body[place:]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    some.lists(
        some.tuples(
            some.builds(content_of, CONTENT, some.binary(max_size=1), EDGES),
            some.sampled_from([None, "lot-1", "lot-2", "a0"]),
        ),
        min_size=1,
        max_size=12,
    ),
    some.booleans(),
)
def test_groups_by_possible_duplicates_are_those_of_all_hashes(tmp_path_factory, files, known):
    root = tmp_path_factory.mktemp("files")
    manifest = listed(root, **{f"a{i}": content for i, (content, _) in enumerate(files)})
    groups = dict(zip((f"a{i}" for i in range(len(files))), (g for _, g in files), strict=True))
    manifest = replace(manifest, groups=tuple(groups[id] for id in manifest.ids))
    if known:
        content_hashes(manifest)  # then all of them come from the memo
    found = hashes_of_possible_duplicates(manifest)
    everything = content_hashes(manifest)
    assert found.items() <= everything.items()
    assert group_keys(manifest, found) == group_keys(manifest, everything)


def test_files_of_their_own_size_or_middle_are_not_read(tmp_path, read_files):
    long = b"x" * (2 * PROBE_BYTES)
    manifest = listed(tmp_path, a=b"1", b=b"22", c=b"33", d=b"33", e=long + b"12", f=b"12" + long)
    assert set(hashes_of_possible_duplicates(manifest)) == {"c", "d", "e", "f"}
    assert sorted(read_files) == ["c", "d", "e", "f"]


def test_a_file_that_is_gone_has_no_duplicate(tmp_path):
    manifest = listed(tmp_path, a=b"1", b=b"1", c=b"1")
    (tmp_path / "b").unlink()
    assert set(hashes_of_possible_duplicates(manifest)) == {"a", "c"}
