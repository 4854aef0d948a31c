"""Held-out images stay held out whatever happens to their files, and what changes is said."""

import os
import shutil
from collections import Counter

import pytest
from PIL import Image

from alvision.cli.label import page_context
from alvision.config.compose import configuration
from alvision.core.errors import UserError
from alvision.data.parts import RecordedParts
from alvision.dataset.dataset import DataSet
from alvision.labels.groups import GroupRule
from alvision.labels.location import read_audit, write_audit
from tests.support import grey
from tests.unit.labels.conftest import event

PEOPLE = ["classes=[ok,worn]", "defects=[worn]", "oracle=files", "audit.share=0.3", "data=folder"]


def opened(root, *words) -> DataSet:
    return DataSet.open(configuration([f"data.root={root}", *PEOPLE, *words]))


def kept(root, *words) -> dict[str, str]:
    """Open the data as a command does; return the part of each image by its bytes."""
    data = opened(root, *words)
    data.keep_split()
    return {data.hashes[id]: data.split.part(id) for id in data.manifest.ids}


@pytest.fixture
def root(tmp_path):
    return grey.shades(tmp_path / "parts", 40, 40)


def rename(root):
    for label in ("ok", "worn"):
        (root / label).rename(root / f"{label}-week1")


def test_renamed_folders_keep_every_part(root):
    before = kept(root)
    assert min(Counter(before.values()).values()) > 5
    rename(root)
    assert opened(root).notices == ()
    assert kept(root) == before
    (root / "ok-week1").rename(root / "good")
    assert kept(root, "audit.share=0.9") == before, "once more, and with another share"


def test_labels_that_the_first_version_kept_keep_their_parts_after_a_rename(root):
    before = kept(root)
    data = opened(root)
    names = {name: part for name, part in read_audit(data.audit_file).items() if ":" in name}
    write_audit(data.audit_file, {k: v for k, v in names.items() if k.startswith("image:")})
    labelled = data.manifest.ids[::2]
    events = [event(id, id, label=id.split("/")[0]) for id in labelled]
    with data.label_store() as store:
        store.append(events, hash_of=data.hashes.get)
    assert kept(root) == before, "nothing is dealt anew where names are all that is known"
    write_audit(data.audit_file, {k: v for k, v in names.items() if k.startswith("image:")})
    rename(root)
    after = kept(root)
    assert {data.hashes[id]: after[data.hashes[id]] for id in labelled} == {
        data.hashes[id]: before[data.hashes[id]] for id in labelled
    }


def test_a_file_that_was_replaced_keeps_the_part_of_its_name(root):
    kept(root)
    data = opened(root)
    for level, id in enumerate((data.split.seal[0], data.split.pool[0])):
        Image.new("RGB", (8, 8), (1, 2, level)).save(root / id)
    later = opened(root)
    assert later.split == data.split and later.notices == ()
    assert later.hashes[data.split.seal[0]] != data.hashes[data.split.seal[0]]


def bursts(root, folder):
    """Copy the parts into one folder as bursts of three, ten minutes apart."""
    folder.mkdir()
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        copy = shutil.copy(path, folder / f"{number:03d}.png")
        os.utime(copy, (1.7e9 + 600 * (number // 3),) * 2)
    return folder


def test_a_copy_without_times_takes_no_part_away(root, tmp_path):
    photos = bursts(root, tmp_path / "photos")
    before = kept(photos, "data.group_by=capture_time")
    assert set(before.values()) == {"pool", "monitor", "seal"}
    assert (
        "80 of 80 images say no time of capture"
        in opened(photos, "data.group_by=capture_time").notices[0]
    )
    shutil.copytree(photos, tmp_path / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(photos)
    (tmp_path / "copy").rename(photos)
    with pytest.raises(UserError, match=r"nothing would be left of the .*data\.group_by") as told:
        kept(photos, "data.group_by=capture_time")
    assert "\n" not in str(told.value)
    assert kept(photos) == before, "by themselves they are where they were"


def test_photographs_that_bridge_two_groups_are_counted(root, tmp_path):
    photos = bursts(root, tmp_path / "photos")
    before = kept(photos, "data.group_by=capture_time")
    data = opened(photos, "data.group_by=capture_time")
    groups = dict(zip(data.manifest.ids, data.groups, strict=True))
    sealed = [id for id in data.split.seal if groups[id] == groups[data.split.seal[0]]]
    shutil.copy(photos / data.split.pool[0], photos / "late.png")
    when = (photos / sealed[0]).stat().st_mtime
    os.utime(photos / "late.png", (when, when))
    later = opened(photos, "data.group_by=capture_time")
    assert f"{len(sealed)} of the sealed test images" in later.notices[-1]
    assert "the images to train on" in later.notices[-1]
    later.keep_split()
    (photos / "late.png").unlink()
    again = opened(photos, "data.group_by=capture_time")
    assert set(sealed) <= set(again.split.pool), "they may have been trained on since"
    assert len(again.notices) == 1, "the change is said once"
    gone = {data.hashes[id] for id in sealed}
    assert {h: p for h, p in kept(photos).items() if h not in gone} == {
        h: p for h, p in before.items() if h not in gone
    }


def test_the_record_holds_names_groups_and_bytes(root):
    kept(root, "data.group_by=parent", "audit.share=0.5")
    data = opened(root, "data.group_by=parent")
    known = RecordedParts.from_rows(read_audit(data.audit_file))
    assert set(known.groups) == {"ok", "worn"}
    assert set(known.images) == set(data.manifest.ids)
    assert set(known.contents) == set(data.hashes.values())


def test_a_split_column_that_tears_groups_is_named(tmp_path):
    root = grey.shades(tmp_path / "parts", 4, 4)
    shutil.copy(root / "ok" / "000.png", root / "copy.png")
    lots = ["ok/001.png", "ok/002.png", "worn/000.png"]
    rows = ["copy.png,ok,,test", "ok/000.png,ok,,train", "worn/001.png,worn,,test"]
    for id, split in zip(lots, ("", "test", "test"), strict=True):
        rows.append(f"{id},{id.split('/')[0]},lot1,{split}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label,group,split", *rows]), encoding="utf-8")
    words = ["data=csv", f"data.root={root}", f"data.file={table}"]
    (line,) = DataSet.open(configuration(words)).notices
    assert "3 of 4 test images" in line and "'copy.png' with 'ok/000.png'" in line
    assert "data.split_column=null" in line
    assert DataSet.open(configuration([*words, "data.split_column=null"])).notices == ()


def test_a_rule_that_leaves_nothing_to_hold_out_is_named(root):
    one_group = ["data.group_by=pattern", r"data.group_pattern='^\w'"]
    for path in (root / "worn").iterdir():
        path.rename(root / "ok" / f"worn-{path.name}")
    (notice,) = opened(root, *one_group).notices
    assert "held out to measure the model, none for the threshold: all 80 are in 1 gr" in notice
    assert opened(root).notices == ()


def test_the_first_page_refuses_a_rule_that_makes_one_group_of_all(root):
    for path in (root / "worn").iterdir():
        path.rename(root / "ok" / f"worn-{path.name}")
    data = opened(root)
    with data.label_store() as store:
        hold_out = page_context(data, store).grouping.hold_out
        with pytest.raises(UserError, match="puts all 80 photographs into one group"):
            hold_out(GroupRule("parent"))
        assert len(hold_out(GroupRule("pattern", r"(\d+)"))) > 5
