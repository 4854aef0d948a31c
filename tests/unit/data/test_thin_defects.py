from pathlib import Path

import pytest

from alvision.core.errors import UserError
from alvision.data.manifest import Manifest
from alvision.data.splits import simulated_split
from alvision.data.thin_defects import pool_defects, thinned

IDS = tuple(f"{i:03d}.png" for i in range(300))
TRUTH = tuple("scratch" if i % 3 == 0 else "dent" if i % 10 == 1 else "ok" for i in range(300))
NOTHING = (None,) * 300
MANIFEST = Manifest(Path(), IDS, (Path(),) * 300, NOTHING, NOTHING, TRUTH)
DEFECTS = ("scratch", "dent")


def split_of(seed):
    return simulated_split(MANIFEST, IDS, seed=seed, share=0.3, fold=None)


def defects_of(ids):
    return [id for id in ids if TRUTH[int(id[:3])] in DEFECTS]


@pytest.mark.parametrize(("share", "known"), [(0.01, 0), (0.01, 5), (0.1, 3)])
def test_the_pool_has_its_share_of_defects_and_those_that_are_known(share, known):
    whole = split_of(0)
    rare = thinned(whole, MANIFEST, DEFECTS, share=share, known=known, seed=0)
    normals = len(whole.pool) - len(defects_of(whole.pool))
    assert len(rare.pool) - len(defects_of(rare.pool)) == normals
    found = len(defects_of(rare.pool)) - known
    assert found / (found + normals) == pytest.approx(share, abs=0.5 / normals)
    assert rare.held_out == whole.held_out
    before = pool_defects(whole, MANIFEST, DEFECTS, seed=0)[:known]
    assert pool_defects(rare, MANIFEST, DEFECTS, seed=0)[:known] == before, "known ones stay"


def test_other_seeds_keep_other_defects():
    kept = {frozenset(pool_defects(split_of(0), MANIFEST, DEFECTS, seed=s)[:5]) for s in range(4)}
    assert len(kept) == 4


def test_a_share_that_the_data_does_not_have():
    with pytest.raises(UserError, match=r"defect_share=0\.9 needs .* defects in the pool"):
        thinned(split_of(0), MANIFEST, DEFECTS, share=0.9, known=0, seed=0)
