from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.data.manifest import Manifest
from alvision.data.splits import (
    Split,
    group_keys,
    part_of,
    simulated_split,
    stratified_folds,
)


def listed(truth, groups=None, splits=None) -> Manifest:
    ids = tuple(f"{i:03d}" for i in range(len(truth)))
    unknown = (None,) * len(ids)
    paths = tuple(Path(id) for id in ids)
    return Manifest(Path(), ids, paths, groups or unknown, splits or unknown, tuple(truth))


def split(manifest, groups=None, *, seed=0, share=0.2, fold=None) -> Split:
    groups = groups or group_keys(manifest, {})
    return simulated_split(manifest, groups, seed=seed, share=share, fold=fold)


def test_keys_are_given_groups_or_the_id():
    manifest = listed("aab", groups=("lot", None, "lot"))
    assert group_keys(manifest, {}) == ("lot", "001", "lot")


def test_exact_duplicates_join_whole_groups_under_the_smallest_name():
    manifest = listed("aaaaa", groups=("z", "z", "b", None, None))
    hashes = {"000": "x", "002": "x", "003": "y", "001": "y", "004": "w"}
    assert group_keys(manifest, hashes) == ("003", "003", "003", "003", "004")


@given(
    st.lists(st.tuples(st.sampled_from(["g1", "g2", "g3", None]), st.integers(0, 6)), max_size=12)
)
def test_keys_are_the_connected_components(rows):
    manifest = listed("a" * len(rows), groups=tuple(group for group, _ in rows))
    hashes = {id: str(value) for id, (_, value) in zip(manifest.ids, rows, strict=True)}
    keys = group_keys(manifest, hashes)
    component = list(range(len(rows)))
    for _ in rows:
        for i, (group, value) in enumerate(rows):
            for j, (other, own) in enumerate(rows):
                if value == own or (group is not None and group == other):
                    component[i] = component[j] = min(component[i], component[j])
    for i in range(len(rows)):
        for j in range(len(rows)):
            assert (keys[i] == keys[j]) == (component[i] == component[j])
        joined = [j for j in range(len(rows)) if component[j] == component[i]]
        assert keys[i] == min(rows[j][0] or manifest.ids[j] for j in joined)


@given(
    st.lists(st.tuples(st.sampled_from("aab"), st.integers(0, 9)), min_size=12, max_size=60),
    st.integers(0, 5),
    st.one_of(st.none(), st.integers(0, 4)),
)
def test_groups_stay_whole_and_every_class_is_in_the_pool(rows, seed, fold):
    manifest = listed([truth for truth, _ in rows])
    groups = tuple(f"g{group}" for _, group in rows)
    try:
        found = split(manifest, groups, seed=seed, fold=fold)
    except UserError as error:
        assert "allow no test part" in str(error)
        return
    assert found.held_out and sorted(found.pool + found.held_out) == list(manifest.ids)
    part = {}
    for id, group in zip(manifest.ids, groups, strict=True):
        assert part.setdefault(group, found.part(id)) == found.part(id)
        assert found.part(id) in ("pool", part_of(group))
    assert {truth for truth, _ in rows} == {manifest.truth[manifest.row(id)] for id in found.pool}


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.5])
def test_lone_images_are_stratified_exactly(share):
    manifest = listed("a" * 100 + "b" * 20)
    for seed in range(3):
        truth = [
            manifest.truth[manifest.row(id)]
            for id in split(manifest, seed=seed, share=share).held_out
        ]
        assert truth.count("a") == 100 * share and truth.count("b") == 20 * share


def test_folds_partition_and_ignore_the_seed():
    manifest = listed("a" * 30 + "b" * 10, groups=tuple(f"g{i // 2}" for i in range(40)))
    folds = [split(manifest, seed=fold, fold=fold).held_out for fold in range(5)]
    assert sorted(sum(folds, ())) == list(manifest.ids)
    assert all(len(fold) == 8 for fold in folds)


def test_seeds_differ_and_repeat():
    manifest = listed("ab" * 30, groups=tuple(f"g{i // 5}" for i in range(60)))
    drawn = [split(manifest, seed=seed) for seed in range(6)]
    assert len(set(drawn)) > 3
    assert drawn == [split(manifest, seed=seed) for seed in range(6)]


def test_lots_of_different_sizes_are_drawn_by_the_seed():
    lots = tuple(f"lot{i}" for i in range(12) for _ in range(10 + i))
    manifest = listed("ab" * (len(lots) // 2), groups=lots)
    drawn = {
        frozenset(lots[manifest.row(id)] for id in split(manifest, seed=s).held_out)
        for s in range(20)
    }
    assert len(drawn) > 10


def test_folds_are_near_the_share_with_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{i}" for i in range(60)], rng.integers(5, 40, 60))
    truth = np.where(rng.random(len(groups)) < 0.2, "b", "a")
    folds = stratified_folds(truth, groups, 5, seed=3)
    for label in "ab":
        shares = np.bincount(folds[truth == label], minlength=5) / (truth == label).sum()
        assert abs(shares - 0.2).max() < 0.03


def test_the_rarest_class_stays_in_the_pool():
    manifest = listed("a" * 20 + "b")
    for seed in range(8):
        assert split(manifest, seed=seed).part("020") == "pool"


def test_a_split_column_wins():
    splits = ("train", "test", None, "test", "train")
    manifest = listed((None, "a", None, "b", "a"), splits=splits)
    found = split(manifest, fold=2)
    assert found.pool == ("000", "002", "004") and found.held_out == ("001", "003")
    assert found.part("001") == part_of("001")


@pytest.mark.parametrize(
    ("splits", "empty"), [(("test",) * 3, "pool"), (("train",) * 3, "test part")]
)
def test_one_sided_split_columns_are_refused(splits, empty):
    with pytest.raises(UserError, match=f"leaves the {empty} empty"):
        split(listed("aab", splits=splits))


@pytest.mark.parametrize(
    ("truth", "settings", "message"),
    [
        (("a", None, "b"), {}, "1 of 3 images have no known class, first '001'"),
        ("aabb", {"fold": 5}, r"data\.fold=5 must be 0\.\.4"),
        ("aabb", {"share": 0.0}, r"audit\.share=0\.0"),
        ("aabb", {"share": 1.0}, r"audit\.share=1\.0"),
        ("ab", {}, "2 groups allow no test part"),
        ("aabb", {"groups": ("g",) * 4}, "1 groups allow no test part"),
        ("aabb", {"fold": 4}, "4 groups allow no test part"),
    ],
)
def test_impossible_splits_are_refused(truth, settings, message):
    with pytest.raises(UserError, match=message):
        split(listed(truth), **settings)


def test_parts_of_a_split():
    found = Split(("b",), ("d", "a"), ("c",))
    assert found.held_out == ("a", "c", "d")
    assert [found.part(id) for id in "abcd"] == ["monitor", "pool", "seal", "monitor"]
    with pytest.raises(KeyError):
        found.part("e")
