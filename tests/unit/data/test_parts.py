"""Parts of people's data: drawn once by the group, kept by the bytes, never back from training."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvision.core.errors import UserError
from alvision.data.manifest import Manifest
from alvision.data.parts import RecordedParts, audit_split, changes
from alvision.data.splits import Split, group_keys

IDS = tuple(f"img{i:05d}" for i in range(4000))


def listed(ids, groups=None) -> Manifest:
    ids = tuple(ids)
    unknown = (None,) * len(ids)
    given = unknown if groups is None else tuple(groups)
    return Manifest(Path(), ids, tuple(map(Path, ids)), given, unknown, unknown)


def deal(ids, groups=None, hashes=None, *, share=0.5, known=None) -> tuple[Split, RecordedParts]:
    """Split as a command does; return the split and the record after it."""
    manifest, hashes = listed(ids, groups), hashes or {}
    known = known or RecordedParts()
    keys = group_keys(manifest, hashes)
    found = audit_split(manifest, keys, hashes, share=share, known=known)
    return found, known.with_parts(manifest, hashes, found.parts)


def named(part: str, share: float = 0.5) -> str:
    """Return a name that is drawn into a part."""
    names = (f"lot{i}" for i in range(99))
    return next(name for name in names if deal([name], share=share)[0].part(name) == part)


def test_the_share_is_about_right_and_halves_are_even():
    found, _ = deal(IDS, share=0.2)
    assert len(found.held_out) / len(IDS) == pytest.approx(0.2, abs=0.02)
    assert len(found.seal) / len(found.held_out) == pytest.approx(0.5, abs=0.05)
    assert deal(IDS, share=0)[0].held_out == ()


def test_a_draw_depends_on_the_group_alone():
    groups = [id[:6] for id in IDS]
    found, _ = deal(IDS, groups, share=0.3)
    fewer, _ = deal(IDS[100:900], groups[100:900], share=0.3)
    assert all(found.part(id) == fewer.part(id) for id in IDS[100:900])
    assert all(len({found.part(id) for id in IDS[i : i + 100]}) == 1 for i in range(0, 4000, 100))


def test_golden_values():
    found, _ = deal("abcd", ("lot-1", "lot-2", "lot-3", "lot-4"))
    assert [found.part(id) for id in "abcd"] == ["monitor", "monitor", "pool", "seal"]


def test_bad_shares_are_refused():
    with pytest.raises(UserError, match=r"audit\.share=1"):
        deal("a", share=1)


def test_known_groups_are_kept_for_ever():
    known = RecordedParts({"lot-1": "seal", "lot-2": "pool", "lot-3": "monitor"})
    for share in (0, 0.99):
        found, _ = deal("abc", ("lot-1", "lot-2", "lot-3"), share=share, known=known)
        assert [found.part(id) for id in "abc"] == ["seal", "pool", "monitor"]


def test_a_lone_image_keeps_its_part_when_it_joins_a_group():
    same = {"a": "1", "b": "1"}
    known = RecordedParts(images={"b": "seal"})
    assert deal("ab", hashes=same, share=0, known=known)[0].part("a") == "seal"
    known = RecordedParts(images={"a": "seal", "b": "pool"})
    assert deal("ab", hashes=same, share=0.99, known=known)[0].pool == ("a", "b")


def test_an_image_called_like_another_group_is_not_taken_for_it():
    known = RecordedParts({"1": "seal", "2": "pool"}, {"1": "pool", "2": "seal"}, {}, True)
    found, _ = deal(("1", "2"), ("2", "1"), share=0, known=known)
    assert (found.part("1"), found.part("2")) == ("pool", "seal")


@given(st.permutations(range(30)))
def test_parts_follow_the_bytes_whatever_the_files_are_called(order):
    hashes = {f"worn/{i}.png": f"sha{i}" for i in range(30)}
    before, known = deal(hashes, hashes=hashes)
    renamed = {f"week1/{place}.png": f"sha{i}" for place, i in enumerate(order)}
    after, _ = deal(renamed, hashes=renamed, known=known)
    by_bytes = {hashes[id]: part for id, part in before.parts.items()}
    assert {renamed[id]: part for id, part in after.parts.items()} == by_bytes


def test_renamed_folders_that_name_the_groups_keep_their_parts():
    ids = [f"{lot}/{i}.png" for lot in "abcdefgh" for i in range(3)]
    hashes = {id: f"sha {id}" for id in ids}
    before, known = deal(ids, [id[0] for id in ids], hashes)
    moved = {f"week1-{id}": hash for id, hash in hashes.items()}
    after, _ = deal(moved, [id[:7] for id in moved], moved, known=known)
    assert [after.part(f"week1-{id}") for id in ids] == [before.part(id) for id in ids]
    assert len(set(before.parts.values())) == 3


def test_two_files_that_swap_their_names_swap_their_parts():
    first, second = named("seal"), named("pool")
    _, known = deal((first, second), hashes={first: "1", second: "2"})
    found, _ = deal((first, second), hashes={first: "2", second: "1"}, known=known)
    assert (found.part(first), found.part(second)) == ("pool", "seal")


@pytest.mark.parametrize("part", ["pool", "monitor", "seal"])
def test_a_photograph_that_was_taken_again_keeps_the_part_of_its_name(part):
    id = named(part)
    _, known = deal([id], hashes={id: "1"})
    assert deal([id], hashes={id: "2"}, share=0.999, known=known)[0].part(id) == part
    assert deal([id], hashes={id: "2"}, share=0, known=known)[0].part(id) == part


def test_a_name_used_again_in_a_new_group_is_drawn_with_that_group():
    old, new = named("seal"), named("pool")
    _, known = deal("ab", (old, old), {"a": "1", "b": "2"})
    found, known = deal("ab", (new, new), {"a": "3", "b": "4"}, known=known)
    assert found.pool == ("a", "b")
    assert known.contents == {"1": "seal", "2": "seal", "3": "pool", "4": "pool"}


def test_a_file_that_cannot_be_read_keeps_the_part_of_its_name():
    lot = named("seal")
    _, known = deal("ab", (lot, lot), {"a": "1", "b": "2"})
    assert deal("ab", ("x", "y"), {"b": "2"}, share=0, known=known)[0].seal == ("a", "b")


def test_what_was_trained_on_never_returns_to_the_seal():
    lot, lone = named("seal"), named("pool")
    bytes = {lone: "1", "x": "2", "y": "3"}
    week1, known = deal(bytes, (None, lot, lot), bytes)
    assert week1.seal == ("x", "y")
    copied = {**bytes, "z": "1"}
    week2, known = deal(copied, (None, lot, lot, lot), copied, known=known)
    assert week2.pool == (lone, "x", "y", "z"), "a copy of a pool image lies in the lot"
    week3, known = deal(bytes, (None, lot, lot), bytes, known=known)
    assert not week3.held_out, "the copy is gone, what was learned from the lot is not"
    week4, _ = deal("n", (lot,), {"n": "9"}, known=known)
    assert week4.pool == ("n",), "a new photograph of a lot that was trained on"


def test_a_record_of_names_alone_deals_nothing_anew_and_learns_the_bytes():
    lots = [named("seal"), named("monitor"), named("pool")]
    before, _ = deal("abc", lots, {"a": "1", "b": "2", "c": "3"})
    old = RecordedParts.from_rows({f"image:{id}": part for id, part in before.parts.items()})
    assert old.names_alone
    now, known = deal("abc", ("x", "y", "z"), {"a": "7", "b": "8", "c": "9"}, known=old)
    assert now == before
    assert known.contents == {"7": "seal", "8": "monitor", "9": "pool"} and not known.names_alone


def test_the_label_log_tells_a_record_of_names_alone_which_bytes_it_meant():
    old = RecordedParts(images={"a": "seal", "b": "pool"}, names_alone=True)
    known = old.with_contents([("a", "1"), ("b", "2"), ("b", "3"), ("a", "3"), ("new", "4")])
    assert known.contents == {"1": "seal", "2": "pool", "3": "pool"}
    found, _ = deal(("p", "q"), hashes={"p": "1", "q": "2"}, share=0, known=known)
    assert (found.part("p"), found.part("q")) == ("seal", "pool")
    newer = RecordedParts(images={"a": "seal"}, contents={"1": "pool"})
    assert newer.with_contents([("a", "1")]) == newer


def test_the_record_is_written_and_read_back():
    known = RecordedParts({"lot7": "seal"}, {"a.png": "pool"}, {"f00d": "monitor"})
    rows = {"lot7": "seal", "image:a.png": "pool", "sha256:f00d": "monitor"}
    assert known.rows() == rows and RecordedParts.from_rows(rows) == known


def test_changed_sides_are_counted():
    known = RecordedParts(images={"a": "seal", "b": "pool", "c": "seal", "d": "monitor"})
    same = {"a": "1", "b": "1", "c": "2", "d": "3"}
    found, after = deal(same, hashes=same, known=known)
    (line,) = changes(listed(same), same, known, found)
    assert line == (
        "1 of the sealed test images belong to the images to train on from now on, "
        "because they share a group with some of those (first 'a')"
    )
    assert not changes(listed(same), same, after, found), "it is said once"


@pytest.mark.parametrize(("part", "called"), [("seal", "sealed test"), ("monitor", "monitor")])
def test_a_part_that_would_vanish_is_refused(part, called):
    known = RecordedParts(images={"a": part, "b": "pool"})
    same = {"a": "1", "b": "1"}
    found, _ = deal(same, hashes=same, known=known)
    with pytest.raises(UserError, match=f"left of the {called} images: all 1 .*data.group_by"):
        changes(listed(same), same, known, found)
