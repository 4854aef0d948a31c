import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.inference import cache_maintenance, feature_cache
from alvision.inference.feature_cache import FeatureCache

KEY = {"trunk": "abc", "size": 32}


def value(name):
    return np.array([sum(map(ord, name)), len(name)], np.float32)


class Compute:
    """Counts what it is asked for and gives it two rows at a time."""

    def __init__(self, unreadable=()):
        self.asked = []
        self.unreadable = unreadable

    def __call__(self, names):
        self.asked.append(list(names))
        good = [name for name in names if name not in self.unreadable]
        for start in range(0, len(good), 2):
            part = good[start : start + 2]
            yield part, np.stack([value(name) for name in part])


def expected(names):
    return np.stack([value(name) for name in names])


def test_only_what_is_missing_is_computed(tmp_path):
    compute = Compute()
    FeatureCache(tmp_path, KEY).fill(["a", "b", "c"], compute)
    cache = FeatureCache(tmp_path, KEY)
    cache.fill(["b", "d", "a", "d"], compute)
    assert compute.asked == [["a", "b", "c"], ["d"]]
    assert np.array_equal(cache.features(["d", "a", "a", "c"]), expected(["d", "a", "a", "c"]))
    assert cache.features([]).shape == (0, 2)


def test_another_key_is_another_cache(tmp_path):
    FeatureCache(tmp_path, KEY).fill(["a"], Compute())
    assert FeatureCache(tmp_path, {**KEY, "size": 64}).missing(["a"]) == ["a"]


MEMORY = Path("/dev/shm")
HERE = Path(tempfile.gettempdir())
APART = os.access(MEMORY, os.W_OK) and MEMORY.stat().st_dev != HERE.stat().st_dev


@pytest.mark.skipif(not APART, reason="there is no second file system to write to")
def test_a_cache_may_lie_on_another_file_system(tmp_path):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        link = tmp_path / "cache"
        link.symlink_to(folder)
        FeatureCache(link, KEY).fill(["a", "b"], Compute())
        cache = FeatureCache(link, KEY)
        assert np.array_equal(cache.features(["b", "a"]), expected(["b", "a"]))
        cache_maintenance.evict(link, 0)
        assert FeatureCache(link, KEY).missing(["a"]) == ["a"]


def test_what_cannot_be_computed_stays_missing(tmp_path):
    cache = FeatureCache(tmp_path, KEY)
    cache.fill(["a", "broken"], Compute(unreadable=("broken",)))
    assert cache.missing(["a", "broken"]) == ["broken"]
    with pytest.raises(KeyError):
        cache.features(["broken"])


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("how", ["cut", "flip", "gone"])
def test_a_damaged_part_never_hits_and_is_computed_again(tmp_path, suffix, how):
    cache = FeatureCache(tmp_path, KEY)
    cache.fill(["a", "b"], Compute())
    file = next(cache.folder.glob(f"*{suffix}"))
    content = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    else:
        content[-2] ^= 255
        file.write_bytes(content if how == "flip" else content[:-2])
    again, compute = FeatureCache(tmp_path, KEY), Compute()
    assert again.missing(["a", "b"]) == ["a", "b"]
    again.fill(["a", "b"], compute)
    assert np.array_equal(again.features(["a", "b"]), expected(["a", "b"]))
    assert FeatureCache(tmp_path, KEY).missing(["a", "b"]) == []


def test_a_kill_loses_only_the_part_in_the_making(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_cache, "ROWS_A_PART", 2)

    def killed(names):
        yield ["a", "b"], expected(["a", "b"])
        yield ["c"], expected(["c"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FeatureCache(tmp_path, KEY).fill(["a", "b", "c"], killed)
    assert FeatureCache(tmp_path, KEY).missing(["a", "b", "c"]) == ["c"]


def test_who_comes_second_waits_and_reads(tmp_path):
    began, compute = threading.Event(), Compute()

    def slow(names):
        began.set()
        yield from compute(names)

    first = threading.Thread(target=FeatureCache(tmp_path, KEY).fill, args=(["a", "b"], slow))
    second = FeatureCache(tmp_path, KEY)
    first.start()
    began.wait()
    second.fill(["a", "b"], compute)
    first.join()
    assert compute.asked == [["a", "b"]]
    assert np.array_equal(second.features(["b"]), expected(["b"]))


def test_a_folder_that_cannot_be_written_keeps_features_in_memory(tmp_path, caplog):
    (tmp_path / "file").write_text("where the folder should be")
    cache, compute = FeatureCache(tmp_path / "file", KEY), Compute()
    cache.fill(["a", "b"], compute)
    cache.fill(["b", "c"], compute)
    assert compute.asked == [["a", "b"], ["c"]]
    assert np.array_equal(cache.features(["c", "a"]), expected(["c", "a"]))
    assert "cannot be stored" in caplog.text and "ALVISION_CACHE" in caplog.text


def test_a_full_disk_keeps_the_rest_in_memory_and_leaves_no_half(tmp_path, monkeypatch, caplog):
    save = feature_cache._save_array
    monkeypatch.setattr(feature_cache, "ROWS_A_PART", 2)

    def full(path, features):
        save(path, features)
        if path.name.startswith(".000001"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(feature_cache, "_save_array", full)
    cache = FeatureCache(tmp_path, KEY)
    cache.fill(list("abcdef"), Compute())
    assert np.array_equal(cache.features(list("fedcba")), expected(list("fedcba")))
    assert caplog.text.count("No space left on device") == 1
    assert FeatureCache(tmp_path, KEY).missing(list("abcdef")) == list("cdef")
    assert not list(cache.folder.glob(".*"))


def test_a_reader_goes_on_when_its_cache_is_evicted(tmp_path):
    cache = FeatureCache(tmp_path, KEY)
    cache.fill(["a", "b"], Compute())
    assert cache_maintenance.evict(tmp_path, 0) == [cache.folder]
    assert np.array_equal(cache.features(["b", "a"]), expected(["b", "a"]))


@pytest.mark.slow
def test_no_kill_at_any_moment_leaves_a_wrong_hit(tmp_path):
    program = Path(__file__).with_name("fill_slowly.py")
    names = [f"{i:03d}" for i in range(400)]
    command = [sys.executable, str(program), str(tmp_path)]
    for parts in range(8, 96, 11):
        with subprocess.Popen(command) as process:
            while len(list(tmp_path.glob("*/*.json"))) < parts and process.poll() is None:
                time.sleep(0.002)
            time.sleep(0.0007 * parts % 0.01)
            process.kill()
        cache = FeatureCache(tmp_path, {"kill": True})
        missing = cache.missing(names)
        there = [name for name in names if name not in set(missing)]
        assert len(there) >= 4 * parts
        assert np.array_equal(cache.features(there), expected(there))
    assert missing  # the kills came before the end
    subprocess.run(command, check=True)
    assert np.array_equal(FeatureCache(tmp_path, {"kill": True}).features(names), expected(names))


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=1, max_size=4))
def test_any_order_of_fills_gives_each_name_its_own_row(tmp_path_factory, fills):
    folder = tmp_path_factory.mktemp("cache")
    for names in fills:
        cache = FeatureCache(folder, KEY)
        cache.fill(names, Compute())
        assert all(np.array_equal(cache.features([n])[0], value(n)) for n in names)
