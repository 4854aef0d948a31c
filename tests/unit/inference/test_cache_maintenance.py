import os

import numpy as np
import pytest
from filelock import FileLock

from alvision.inference import cache_maintenance
from alvision.inference.feature_cache import KEY, FeatureCache, lock_of


def cache(root, name, rows=4, used=0.0):
    made = FeatureCache(root, {"trunk": name, "engine": ["cpu"]})
    names = [f"{name}{i}" for i in range(rows)]
    made.fill(names, lambda names: [(names, np.ones((len(names), 8), np.float32))])
    os.utime(made.folder / KEY, (used, used))
    return made


@pytest.fixture
def three(tmp_path):
    return [cache(tmp_path, name, used=day) for day, name in enumerate(("old", "young", "new"), 1)]


def test_caches_are_listed_by_their_last_use(tmp_path, three):
    found = cache_maintenance.stored(tmp_path, check=True)
    assert [c.about["trunk"] for c in found] == ["new", "young", "old"]
    assert [c.images for c in found] == [4, 4, 4]
    assert not any(c.damaged for c in found)
    assert all(c.size > 4 * 8 * 4 for c in found)


def test_a_use_makes_a_cache_young(tmp_path, three):
    FeatureCache(tmp_path, {"trunk": "old", "engine": ["cpu"]})
    assert cache_maintenance.stored(tmp_path, check=False)[0].about["trunk"] == "old"


def test_the_longest_unused_go_first_and_the_own_stays(tmp_path, three):
    one = cache_maintenance.stored(tmp_path, check=False)[0].size
    assert cache_maintenance.evict(tmp_path, 3 * one + 99) == []
    assert cache_maintenance.evict(tmp_path, 2 * one + 99) == [three[0].folder]
    assert cache_maintenance.evict(tmp_path, 0, keep=three[1].folder) == [three[2].folder]
    assert [c.about["trunk"] for c in cache_maintenance.stored(tmp_path, check=True)] == ["young"]


def test_what_is_being_filled_stays(tmp_path, three):
    with FileLock(lock_of(three[0].folder)):
        assert three[0].folder not in cache_maintenance.evict(tmp_path, 0)
    assert three[0].folder.exists()


def test_damage_is_found_and_mended(tmp_path, three):
    part = next(three[1].folder.glob("*.npy"))
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    (three[1].folder / ".000001.npy.part").write_bytes(b"half of one")
    (three[1].folder / "000007.npy").write_bytes(b"a kill came before its index")
    assert not any(c.damaged for c in cache_maintenance.stored(tmp_path, check=False))
    found = next(c for c in cache_maintenance.stored(tmp_path, check=True) if c.damaged)
    assert found.folder == three[1].folder and found.images == 0
    assert cache_maintenance.mend(found) > len(content)
    assert [path.name for path in found.folder.iterdir()] == [KEY]
